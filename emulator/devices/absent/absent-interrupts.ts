/** A processor without a local APIC and without interrupts: what the CPU finds while no controller is built in. */
import type { InterruptPort } from '../../cpu/ports';

export function absentInterrupts(): InterruptPort {
  const none = (): never => {
    throw new Error('there is no interrupt to acknowledge');
  };
  return {
    pending: () => -1,
    acknowledge: none,
    endOfInterrupt: () => undefined,
    readCr8: () => 0,
    writeCr8: () => undefined,
    apicBase: () => 0n,
    writeApicBase: () => false,
    readMsr: () => undefined,
    writeMsr: () => false,
    sendIpi: () => undefined,
    initialize: () => undefined,
    mayInterrupt: () => false,
  };
}
