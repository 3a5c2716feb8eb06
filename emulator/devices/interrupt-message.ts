/**
 * What interrupt controllers send each other (SDM volume 3, "Advanced Programmable Interrupt Controller (APIC)", "Issuing Interprocessor
 * Interrupts" and "Message Signalled Interrupts").
 */
import { DeliveryMode } from '../spec/apic';

export interface InterruptMessage {
  /** `DeliveryMode`. */
  readonly mode: number;
  readonly vector: number;
  /** Level-triggered: the local APIC that accepts it tells the I/O APICs of its end. */
  readonly level: boolean;
  /** The destination is logical, not an APIC ID. */
  readonly logical: boolean;
  readonly destination: number;
  /** The destination has 32 bits (a sender in x2APIC mode), else 8. */
  readonly wide: boolean;
}

/** Who receives an interprocessor interrupt. */
export const Shorthand = { none: 0, self: 1, all: 2, others: 3 } as const;

/** A message-signalled interrupt: writing `data` to `address`, which is in FEE0_0000H..FEEF_FFFFH. Undefined: it has no effect. */
export function messageSignalled(address: number, data: number): InterruptMessage | undefined {
  if (Math.floor(address / 0x10_0000) !== 0xfee) return undefined;
  const level = (data & 0x8000) !== 0;
  // A level-triggered message that negates ends nothing: the end of the interrupt does.
  if (level && (data & 0x4000) === 0) return undefined;
  const mode = (data >>> 8) & 7;
  if (mode === DeliveryMode.reserved || mode === DeliveryMode.startUp) return undefined;
  // The redirection hint (bit 3) only allows what the delivery mode asks for; bit 2 says how the destination is meant.
  return {
    mode,
    vector: data & 0xff,
    level,
    logical: (address & 4) !== 0,
    destination: (address >>> 12) & 0xff,
    wide: false,
  };
}
