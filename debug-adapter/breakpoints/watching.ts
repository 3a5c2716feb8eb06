/**
 * What a data breakpoint watches, as text: PLACE/BYTES is the protocol's dataId (hpa:0x5000/8), and change:PLACE/BYTES, read: and access: name
 * the same as function breakpoints, with any words after it. Which accesses count, and what is told of one.
 */
import type { Level, Watchpoint, WatchpointHit } from '../../emulator/api';
import { breakpointErrors } from '../errors';
import { littleEndian } from '../evaluate/evaluate';
import { formatPlace, type MemoryPlace, parsePlace } from '../memory-reference';

export type WatchAccess = 'change' | 'read' | 'access';

export interface Watch {
  readonly watchpoint: Watchpoint;
  /** Only writes that leave other bytes than were there. */
  readonly onChange: boolean;
}

const MOST_BYTES = 1 << 24;
const AS_FUNCTION = /^(change|read|access):\s*(\S+)/i;
const DATA_ID = /^(.+)\/(\d+)$/;

/** The access and the dataId of a function breakpoint of that form. */
export function watchForm(name: string): { readonly access: WatchAccess; readonly dataId: string } | undefined {
  const found = AS_FUNCTION.exec(name);
  return found ? { access: found[1]!.toLowerCase() as WatchAccess, dataId: found[2]! } : undefined;
}

export function formatDataId(place: MemoryPlace, bytes: number): string {
  return `${formatPlace(place)}/${bytes}`;
}

/** As the protocol names accesses: what it calls a write, clients offer as "break on value change". */
export function accessOf(type: unknown): WatchAccess {
  return type === 'read' ? 'read' : type === 'readWrite' ? 'access' : 'change';
}

/** `space`: where the address is to be looked for whatever the text says, such as l2:gpa (the breakpoint's mode). A sentence when it cannot be. */
export function watchOf(dataId: string, access: WatchAccess, space: string | undefined): Watch | string {
  const found = DATA_ID.exec(dataId);
  const written = found && parsePlace(found[1]!, 1);
  const bytes = Number(found?.[2]);
  if (!written) return breakpointErrors.badDataId(dataId);
  if (bytes < 1 || bytes > MOST_BYTES) return breakpointErrors.badDataLength(bytes, MOST_BYTES);
  const moved = space === undefined ? written : parsePlace(`${space}:0x${written.address.toString(16)}`, 1)!;
  if (moved.address + BigInt(bytes) > 1n << 64n) return breakpointErrors.badDataId(dataId);
  const level: { level?: Level } = moved.space === 'hpa' ? {} : { level: moved.level };
  const kind = { change: 'write', read: 'read', access: 'readWrite' } as const;
  return {
    watchpoint: { space: moved.space, address: moved.address, length: bytes, access: kind[access], ...level },
    onChange: access === 'change',
  };
}

/** Does an access count? One that stored the bytes that were there has changed nothing. */
export function counts({ onChange, watchpoint }: Watch, hit: WatchpointHit): boolean {
  if (!onChange || !hit.oldBytes || !hit.newBytes) return true;
  const from = watchpoint.address > hit.address ? Number(watchpoint.address - hit.address) : 0;
  const to = Number(watchpoint.address + BigInt(watchpoint.length) - hit.address);
  for (let at = from; at < Math.min(to, hit.newBytes.length); at++) if (hit.oldBytes[at] !== hit.newBytes[at]) return true;
  return false;
}

const WORD = 8;
/** The bytes as a number where they are one. */
export function numberOf(bytes: Uint8Array | undefined): bigint | undefined {
  return bytes && bytes.length > 0 && bytes.length <= WORD ? littleEndian(bytes) : undefined;
}
