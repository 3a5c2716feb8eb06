/** 10,000 nonsense requests, from a seed: each is answered, none crashes or hangs the session, and it works afterwards. */
import { strict as assert } from 'node:assert';
import { FakeMachine, fakeHost } from './fake-machine';
import { Talk } from './talk';

const COMMANDS = [
  'setBreakpoints', 'setFunctionBreakpoints', 'setInstructionBreakpoints', 'setExceptionBreakpoints', 'breakpointLocations', 'setDataBreakpoints',
  'dataBreakpointInfo', 'continue', 'next', 'stepIn', 'stepOut', 'pause', 'stepBack', 'reverseContinue', 'threads', 'stackTrace', 'scopes', 'variables',
  'setVariable', 'evaluate', 'setExpression', 'completions', 'exceptionInfo', 'modules', 'readMemory', 'writeMemory', 'disassemble', 'cancel',
  'nestscope/inspect', 'nestscope/resolve', 'nestscope/exits', 'nestscope/position', 'nestscope/serialInput', 'initialize', 'attach', 'goto', 'gotoTargets', 'locations', 'source',
  'loadedSources', 'configurationDone', 'restart', 'launch', '', 'constructor', 'hasOwnProperty',
]; // prettier-ignore
const NAMES = [
  'threadId', 'frameId', 'variablesReference', 'expression', 'context', 'memoryReference', 'count', 'offset', 'instructionOffset', 'instructionCount',
  'breakpoints', 'filters', 'filterOptions', 'source', 'lines', 'line', 'endLine', 'column', 'text', 'data', 'id', 'vcpu', 'level', 'space', 'address',
  'limit', 'name', 'value', 'start', 'startFrame', 'levels', 'granularity', 'startModule', 'moduleCount', 'targetId', 'locationReference', 'requestId', 'mode', 'progressId', 'arguments',
]; // prettier-ignore

const SEED = 20261121;

describe('nonsense requests', function () {
  this.timeout(120_000);

  it(`are all answered (seed ${SEED})`, async () => {
    let state = SEED;
    const random = (n: number): number => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      return Math.floor((state / 2 ** 32) * n);
    };
    const one = <T>(list: readonly T[]): T => list[random(list.length)]!;
    const scalars = [
      () => random(10), () => -random(1000), () => random(2 ** 31) * 4096, () => 1.5, () => NaN, () => null, () => undefined, () => true, () => 'rax', () => '',
      () => `0x${random(2 ** 31).toString(16)}`, () => `l${random(4)}:gva:0x${random(9999)}`, () => 'hpa:0x0', () => '[[rax]', () => 'reason == EPT_VIOLATION', () => 'AAAA', () => '=',
      () => 'vmexit:CPUID', () => '\u{1f980}'.repeat(3), () => 'x'.repeat(10_000), () => 1e300, () => ({ path: 'a.asm' }), () => ({}), () => 'hover', () => 'repl', () => 'watch',
    ]; // prettier-ignore
    const anything = (depth: number): unknown => {
      const kind = random(8);
      if (kind === 0 && depth < 3) return Array.from({ length: random(4) }, () => anything(depth + 1));
      if (kind === 1 && depth < 3) return someArguments(depth + 1);
      return one(scalars)();
    };
    const someArguments = (depth: number): Record<string, unknown> => {
      const result: Record<string, unknown> = {};
      for (let i = random(6); i > 0; i--)
        result[one([...NAMES, 'condition', 'hitCondition', 'logMessage', 'instructionReference', 'path', '__proto__', 'filterId'])] =
          anything(depth);
      return result;
    };

    const positions = Array.from({ length: 50 }, (_, i) => ({
      level: i % 5 === 3 ? (2 as const) : (1 as const),
      rip: BigInt(0x100000 + i),
      event: i % 5 === 2 ? ('entry' as const) : i % 5 === 3 ? ('exit' as const) : undefined,
    }));
    const machine = new FakeMachine({ positions, endless: true });
    const talk = new Talk(fakeHost(machine));
    await talk.start();
    for (let i = 0; i < 10_000; i++) {
      const command = one(COMMANDS);
      const args = random(20) === 0 ? one([undefined, null, 7, 'text', []]) : someArguments(0);
      if (typeof args === 'object' && args && random(2) === 0) (args as Record<string, unknown>).threadId = 1;
      const answer = await talk.ask(command, args);
      assert.equal(typeof answer.success, 'boolean');
      if (!answer.success) {
        assert.ok(answer.message, `${command} ${JSON.stringify(args)}: refused without a sentence`);
        assert.doesNotMatch(answer.message, /made a mistake/, `${command} ${JSON.stringify(args)}`);
      }
    }
    assert.equal(talk.unanswered, 0);
    assert.ok((await talk.ask('pause', { threadId: 1 })).success);
    assert.ok((await talk.ask('threads')).success);
    assert.ok((await talk.ask('disconnect')).success);
  });
});
