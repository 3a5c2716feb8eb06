/** Golden conversation over nested-hello by source line: breakpoints, stepping into, over and out, modules, completions. */
import { strict as assert } from 'node:assert';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Conversation, example, root } from './transcript';

const source = join(root, 'examples', 'nested-hello', 'nested-hello.asm');
const lines = readFileSync(source, 'utf8').split('\n');
/** The line that has this text, counted from 1. */
const lineOf = (text: string): number => {
  const index = lines.findIndex((line) => line.includes(text));
  assert.ok(index >= 0, `${text} is not in nested-hello.asm`);
  return index + 1;
};

describe('conversation: source lines', function () {
  this.timeout(60_000);

  it('breaks and steps by line', async () => {
    const talk = Conversation.overStdio();
    const go = async (command: string): Promise<string> => {
      await talk.ask(command, { threadId: 1 });
      await talk.event('stopped');
      return (await talk.stack())[0]!.name;
    };
    try {
      await talk.launch({ program: example('nested-hello'), stopOnEntry: true }, async () => {
        await talk.ask('setExceptionBreakpoints', { filters: [] });
        await talk.ask('setBreakpoints', {
          source: { path: source },
          breakpoints: [
            { line: lineOf('call build_guest_memory') },
            { line: lineOf('guest_touch:') + 1, condition: 'level == 2' },
            { line: 100_000 },
          ],
        });
        await talk.ask('setBreakpoints', { source: { path: '/elsewhere/nothing.c' }, breakpoints: [{ line: 1 }] });
        await talk.ask('setFunctionBreakpoints', { breakpoints: [{ name: 'advance', hitCondition: '== 2' }] });
      });
      await talk.event('stopped');
      await talk.ask('breakpointLocations', { source: { path: source }, line: lineOf('main:'), endLine: lineOf('main:') + 6 });

      talk.heading('continue to the line; into the function; by line; out again');
      await go('continue');
      await go('stepIn');
      await go('next');
      await go('next');
      await go('stepOut');

      talk.heading('over calls, line by line');
      await go('next');
      await go('next');

      talk.heading('a function breakpoint with a hit count, then the conditional one in the guest');
      assert.match(await go('continue'), /^L1 advance/);
      assert.match(await go('continue'), /^L2 guest_touch/);

      talk.heading('by line through the guest: over the touched page, whose exit the hypervisor handles');
      assert.match(await go('next'), /^L2 /);
      assert.match(await go('next'), /^L2 /);

      await talk.ask('modules', {}, (body) =>
        (body.modules as { name: string; addressRange: string }[]).map(({ name, addressRange }) => `${name} ${addressRange}`),
      );
      await talk.ask('completions', { text: '1 + guest_to', column: 13 });
      await talk.ask('evaluate', { expression: 'guest_touch', context: 'hover', frameId: (await talk.stack())[0]!.id });

      talk.heading('by line over VMRESUME, and into it');
      await talk.ask('setFunctionBreakpoints', { breakpoints: [{ name: 'resume' }] });
      assert.match(await go('continue'), /^L1 resume/);
      await talk.ask('setBreakpoints', { source: { path: source }, breakpoints: [{ line: lineOf('    vmresume') }] });
      assert.match(await go('continue'), /^L1 resume/);
      assert.match(await go('stepIn'), /^L2 /);
      assert.match(await go('stepOut'), /^L1 vm_exit_handler/);

      talk.heading("out of the hypervisor's exit handler, which never returns but by VMRESUME");
      await talk.ask('setBreakpoints', { source: { path: source }, breakpoints: [] });
      await talk.ask('setFunctionBreakpoints', { breakpoints: [] });
      await talk.ask('restart');
      await talk.event('stopped');
      await talk.ask('setFunctionBreakpoints', { breakpoints: [{ name: 'vmexit:CPUID' }] });
      assert.match(await go('continue'), /^L2 guest_cpuid/);
      assert.match(await go('stepIn'), /^L1 vm_exit_handler/);
      assert.match(await go('stepOut'), /^L2 guest_cpuid/);
    } finally {
      await talk.end();
    }
    talk.matches('source-lines');
  });
});
