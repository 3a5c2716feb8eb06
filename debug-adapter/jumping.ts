/** gotoTargets and goto ("Jump to Cursor"): sets RIP of the level that runs to a line's code, without executing anything in between. */
import type { DebugProtocol } from '@vscode/debugprotocol';
import type { RequestArguments } from './arguments';
import { type Debuggee, inExitView } from './debuggee';
import { jumpErrors } from './errors';
import { formatPlace, type MemoryPlace, parsePlace } from './memory-reference';

const MOST_LINES = 1 << 24;

export class JumpTargets {
  private readonly places = new Map<number, MemoryPlace>();
  private nextId = 1;

  /** The places that a line stands for; a disassembly document names the instruction itself. */
  find(debuggee: Debuggee, args: RequestArguments, lineBase: number): DebugProtocol.GotoTarget[] {
    const { level } = debuggee.machine.cpu(debuggee.vcpu);
    const path = args.object('source')?.path;
    const line = args.integer('line', 0, MOST_LINES);
    const reference = args.optionalText('instructionReference');
    if (reference !== undefined) {
      const place = parsePlace(reference, level);
      return place?.space === 'gva' && place.level === level ? [this.target(place, line)] : [];
    }
    if (typeof path !== 'string') return [];
    const rows = debuggee.symbols.rowsAt(path, line + 1 - lineBase).filter((row) => (row.level ?? level) === level);
    return rows.map((row) => this.target({ space: 'gva', level, address: row.start }, row.line - 1 + lineBase));
  }

  private target(place: MemoryPlace, line: number): DebugProtocol.GotoTarget {
    const id = this.nextId++;
    this.places.set(id, place);
    const reference = formatPlace(place);
    return { id, label: reference, line, instructionPointerReference: reference };
  }

  jump(debuggee: Debuggee, vcpu: number, id: number): void {
    const place = this.places.get(id);
    const cpu = debuggee.machine.cpu(vcpu);
    if (!place || place.level !== cpu.level) throw jumpErrors.staleTarget();
    if (inExitView(debuggee, vcpu)) throw jumpErrors.atExit();
    // What the registers call RIP is the offset in CS, which has a base of its own outside 64-bit mode.
    const base = cpu.codeBits === 64 ? 0n : (cpu.register('cs_base') ?? 0n);
    cpu.setRegister('rip', BigInt.asUintN(64, place.address - base));
  }
}
