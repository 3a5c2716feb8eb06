/** Running a machine from the command line, against a machine that is played: exit statuses, trace lines, save and restore, statistics. */
import { strict as assert } from 'node:assert';
import { entryFailureText, statsText, traceLine } from '../../../debug-adapter/doors/cli-report';
import { type RunLimits, runMachine } from '../../../debug-adapter/doors/cli-run';
import type { Machine, MachineConfig, MachineSnapshot, StopReason, TraceRecord, VmEntryFailureRecord } from '../../../emulator/api';

interface Script {
  /** Steps until it ends. */
  readonly length: number;
  readonly end: StopReason;
  /** Step → what happens in it. */
  readonly events?: Readonly<Record<number, { serial?: string; debug?: string; trace?: TraceRecord }>>;
  /** Repeats what it is sent. */
  readonly echo?: boolean;
}

class PlayedMachine {
  steps = 0;
  exitCounts = new Map<string, number>();
  breakOn = { vmExit: false, vmEntry: false, vmEntryFailure: false, exception: false };
  private serial: number[] = [];
  private debug = '';
  private trace: TraceRecord[] = [];
  constructor(private readonly script: Script) {}
  get instructions(): number {
    return this.steps;
  }
  runSlice({ maxSteps }: { maxSteps: number }): StopReason {
    for (let i = 0; i < maxSteps; i++) {
      if (this.steps >= this.script.length) return this.script.end;
      const event = this.script.events?.[this.steps];
      this.steps++;
      if (event?.serial) this.serial.push(...new TextEncoder().encode(event.serial));
      if (event?.debug) this.debug += event.debug;
      if (event?.trace) {
        this.trace.push(event.trace);
        if (event.trace.event === 'exit') this.exitCounts.set(event.trace.reason, (this.exitCounts.get(event.trace.reason) ?? 0) + 1);
      }
    }
    return { kind: 'step-limit' };
  }
  takeSerialOutput(): Uint8Array {
    return new Uint8Array(this.serial.splice(0));
  }
  takeDebugConsoleOutput(): Uint8Array {
    const bytes = new TextEncoder().encode(this.debug);
    this.debug = '';
    return bytes;
  }
  takeTrace(): { records: TraceRecord[]; dropped: number } {
    return { records: this.trace.splice(0), dropped: 0 };
  }
  sendSerialInput(bytes: Uint8Array): void {
    if (this.script.echo) this.serial.push(...bytes);
  }
  save(): MachineSnapshot {
    return { version: 1, parts: { steps: this.steps, exits: [...this.exitCounts] } };
  }
  restore(snapshot: MachineSnapshot): void {
    this.steps = snapshot.parts.steps as number;
    this.exitCounts = new Map(snapshot.parts.exits as [string, number][]);
  }
}

const config: MachineConfig = { image: new Uint8Array(1), imageName: 'k' };
const exit = (n: number, reason: string, gpa?: bigint): TraceRecord => ({
  event: 'exit', n, vcpu: 0, level: 2, reason, reasonNumber: 0, qualification: 0x182n, rip: 0xabcn, gpa, instructionLength: 2, interruptionInfo: 0, interruptionError: 0, vmcs: 0, vcpuSteps: n,
}); // prettier-ignore

async function play(
  script: Script,
  limits: Partial<RunLimits> = {},
  more: { input?: string; gone?: boolean; interruptAfter?: number; trace?: boolean } = {},
) {
  const seen = { out: '', err: '', trace: '', machines: 0, breaths: 0, status: -1 };
  let input = more.input ?? '';
  let time = 0;
  seen.status = await runMachine(
    config,
    { maxSteps: undefined, realtime: false, saveAt: undefined, stats: false, ...limits },
    {
      createMachine: () => {
        seen.machines++;
        return Promise.resolve(new PlayedMachine(script) as unknown as Machine);
      },
      serial: (bytes) => {
        seen.out += new TextDecoder().decode(bytes);
        return Promise.resolve(!more.gone);
      },
      interactive: false,
      sleep: () => Promise.resolve(),
      serialInput: () => {
        const bytes = new TextEncoder().encode(input);
        input = '';
        return bytes;
      },
      stderr: (text) => {
        seen.err += typeof text === 'string' ? text : new TextDecoder().decode(text);
      },
      trace: more.trace === false ? undefined : (lines) => (seen.trace += lines),
      now: () => (time += 500),
      breathe: () => {
        seen.breaths++;
        return Promise.resolve();
      },
      interrupted: () => more.interruptAfter !== undefined && seen.breaths >= more.interruptAfter,
    },
  );
  return seen;
}

describe('command line: a run', () => {
  it('ends with the exit status of how the machine ended', async () => {
    const ends: [StopReason, number, RegExp][] = [
      [{ kind: 'guest-exit', value: 0 }, 1, /^$/],
      [{ kind: 'guest-exit', value: 0x31 }, 0x63, /^$/],
      [{ kind: 'guest-exit', value: 0x1ff }, 0xff, /^$/],
      [{ kind: 'halted', level: 1 }, 0, /^$/],
      [{ kind: 'triple-fault', chain: [{ event: 'exception', n: 5, vcpu: 0, level: 1, vector: 14, errorCode: 2, rip: 0x100n, cr2: 0x200n }] }, 70, /^nestscope: The guest ended in a triple fault after 10 steps: #PF error code 0x2 at L1 0x100 CR2 0x200\.\n$/],
      [{ kind: 'not-modelled', sentence: 'Not modelled: x.' }, 72, /^nestscope: Not modelled: x\.\n$/],
      [{ kind: 'internal-error', sentence: 'Nestscope bug: y' }, 74, /^nestscope: Nestscope bug: y\n$/],
    ]; // prettier-ignore
    for (const [end, status, err] of ends) {
      const seen = await play({ length: 10, end });
      assert.equal(seen.status, status, end.kind);
      assert.match(seen.err, err);
    }
  });

  it('obeys the step limit exactly', async () => {
    const script: Script = { length: 100, end: { kind: 'halted', level: 1 }, events: { 49: { serial: 'in' }, 50: { serial: 'out' } } };
    const seen = await play(script, { maxSteps: 50 });
    assert.deepEqual([seen.status, seen.out, seen.err], [124, 'in', 'nestscope: The step limit ended the run after 50 steps.\n']);
    assert.equal((await play(script, { maxSteps: 0 })).status, 124);
    assert.equal((await play(script, { maxSteps: 101 })).status, 0);
  });

  it('writes serial output, debug console and trace, the same when saved and restored in the middle', async () => {
    const script: Script = {
      length: 20_000,
      end: { kind: 'guest-exit', value: 1 },
      events: {
        5: { serial: 'a' },
        10: { debug: 'd', trace: exit(11, 'CPUID') },
        12_000: { serial: 'b', trace: exit(12_001, 'EPT_VIOLATION', 0x5000n) },
      },
    };
    const plain = await play(script, { stats: true });
    assert.deepEqual([plain.out, plain.machines, plain.status], ['ab', 1, 3]);
    assert.equal(
      plain.trace,
      '{"n":11,"vcpu":0,"level":2,"event":"exit","reason":"CPUID","qualification":"0x182","rip":"0xabc"}\n' +
        '{"n":12001,"vcpu":0,"level":2,"event":"exit","reason":"EPT_VIOLATION","qualification":"0x182","rip":"0xabc","gpa":"0x5000"}\n',
    );
    assert.match(plain.err, /^dstats: 20000 steps, 20000 instructions, 0\.500 s, 0\.0 MIPS\nexits: CPUID 1, EPT_VIOLATION 1\n$/);
    for (const saveAt of [0, 7, 11, 12_000, 19_999]) {
      const saved = await play(script, { stats: true, saveAt });
      assert.equal(saved.machines, 2);
      assert.deepEqual({ ...saved, machines: 1, breaths: 0 }, { ...plain, breaths: 0 }, `saved at ${saveAt}`);
    }
    assert.match((await play(script, { saveAt: 30_000 })).err, /The step of --save-at, 30000, was not reached/);
  });

  it('gives input before the first step', async () => {
    const seen = await play({ length: 3, end: { kind: 'halted', level: 1 }, echo: true }, {}, { input: 'typed' });
    assert.equal(seen.out, 'typed');
  });

  it('ends quietly when nobody reads, and with statistics on Ctrl-C', async () => {
    const endless: Script = { length: Infinity, end: { kind: 'halted', level: 1 }, events: { 3: { serial: 'x' } } };
    assert.deepEqual(
      { ...(await play(endless, {}, { gone: true })), breaths: 0 },
      { out: 'x', err: '', trace: '', machines: 1, breaths: 0, status: 141 },
    );
    const interrupted = await play(endless, { stats: true }, { interruptAfter: 2, trace: false });
    assert.equal(interrupted.status, 130);
    assert.match(interrupted.err, /^nestscope: Interrupted after (\d+) steps\.\nstats: \1 steps, /);
  });

  it('turns an exception out of the emulator into a sentence', async () => {
    const broken = { kind: 'halted', level: 1 } as const;
    const script: Script = { length: 5, end: broken, events: new Proxy({}, { get: () => assert.fail('Nestscope bug: played') }) };
    const seen = await play(script);
    assert.deepEqual([seen.status, seen.err], [74, 'nestscope: Nestscope bug: played\n']);
  });
});

describe('command line: what it prints', () => {
  const failure: VmEntryFailureRecord = {
    event: 'entry-failure', n: 42, vcpu: 0, level: 1, instruction: 'VMLAUNCH', rip: 0x100n, kind: 'exit', number: 33, qualification: 0n, vmcs: 0x5000,
    check: { name: 'guest-rflags-reserved', section: 'Checks on Guest RIP, RFLAGS, and SSP', sentence: 'RFLAGS bit 1 must be 1.', fields: [{ name: 'GUEST_RFLAGS', value: 0n }] },
  }; // prettier-ignore

  it('names the check that refused a VM entry, with its values', () => {
    assert.equal(
      entryFailureText(failure),
      'step 42: VMLAUNCH at 0x100 refused (VM-entry failure, exit reason 33): check guest-rflags-reserved: RFLAGS bit 1 must be 1. [GUEST_RFLAGS = 0x0] (Checks on Guest RIP, RFLAGS, and SSP)',
    );
    assert.equal(
      traceLine(failure),
      '{"n":42,"vcpu":0,"level":1,"event":"entry-failure","instruction":"VMLAUNCH","kind":"exit","number":33,"qualification":"0x0","rip":"0x100","check":"guest-rflags-reserved","fields":{"GUEST_RFLAGS":"0x0"}}',
    );
    const bare: VmEntryFailureRecord = { ...failure, kind: 'VMfailValid', number: 4, check: undefined, qualification: undefined };
    assert.equal(entryFailureText(bare), 'step 42: VMLAUNCH at 0x100 refused (VMfailValid, error 4).');
    assert.equal(
      traceLine(bare),
      '{"n":42,"vcpu":0,"level":1,"event":"entry-failure","instruction":"VMLAUNCH","kind":"VMfailValid","number":4,"rip":"0x100"}',
    );
  });

  it('traces entries, and no exceptions', () => {
    assert.equal(
      traceLine({ event: 'entry', n: 9, vcpu: 0, level: 2, instruction: 'VMRESUME', from: 0x1000n, rip: 0x2000n, vmcs: 0 }),
      '{"n":9,"vcpu":0,"level":2,"event":"entry","instruction":"VMRESUME","from":"0x1000","rip":"0x2000"}',
    );
    assert.equal(traceLine({ event: 'exception', n: 9, vcpu: 0, level: 2, vector: 6, rip: 0n }), undefined);
  });

  it('counts exits by reason, most frequent first', () => {
    const exits = new Map([['HLT', 1], ['CPUID', 3], ['RDMSR', 1], ['VMCALL', 0]]); // prettier-ignore
    assert.equal(statsText(100, 90, 0.5, exits), 'stats: 100 steps, 90 instructions, 0.500 s, 0.0 MIPS\nexits: CPUID 3, HLT 1, RDMSR 1\n');
    assert.equal(
      statsText(30_000_000, 30_000_000, 2, new Map()),
      'stats: 30000000 steps, 30000000 instructions, 2.000 s, 15.0 MIPS\nexits: none\n',
    );
  });
});
