/**
 * Where the machine stops, in a real VS Code, on the examples: F5, conditions on VM exits, the stack of two levels, steps across levels, refused
 * entries, triple faults, wrong configurations. The same file runs in a node host and in web worker hosts (run-node.ts, run-web.ts).
 */
import * as vscode from 'vscode';
import { equal, ok, until } from './conversation';
import { Editor } from './editor';

describe(`Nestscope's stops in VS Code ${vscode.version}`, () => {
  const editor = new Editor();
  const { conversation } = editor;

  before(() =>
    console.log(
      `    extension host: ${editor.api.host}; ${vscode.env.appName} ${vscode.version} (${vscode.env.appHost}); ${editor.folder.uri.toString()}`,
    ),
  );

  it('boots nested-hello with F5 and stops at entry', async () => {
    await editor.open('nested-hello', 'nested-hello.asm');
    const session = await editor.start();
    equal(conversation.stops.at(-1)!.reason, 'entry');
    const [top] = await conversation.frames(session);
    ok(top!.name.startsWith('L1 '), top!.name);
    ok(editor.api.adapters.lastPlace === 'worker', `the machine runs in a worker, not ${editor.api.adapters.lastPlace}`);
  });

  it('F5 boots the image beside the source in front, by the first configuration of the examples', async () => {
    await editor.open('hello64', 'hello64.asm');
    const stops = conversation.stops.length;
    await vscode.commands.executeCommand('workbench.action.debug.start');
    await conversation.stop(stops);
    equal(conversation.stops.at(-1)!.reason, 'entry');
    const { program } = vscode.debug.activeDebugSession!.configuration as { program?: string };
    ok(program?.endsWith('hello64.elf'), String(program));
  });

  it('F5 without any configuration finds the image of the source, or says what is missing', async () => {
    const nothing = { type: '', request: '', name: '' };
    await editor.open('nested-hello', 'nested-hello.asm');
    const found = await editor.api.configurations.resolveDebugConfiguration(editor.folder, nothing);
    ok(found?.type === 'nestscope' && found.program.endsWith('nested-hello.elf'), JSON.stringify(found));
    await editor.open('common', 'vmx.inc');
    equal(await editor.api.configurations.resolveDebugConfiguration(editor.folder, nothing), undefined);
    await vscode.commands.executeCommand('notifications.clearAll');
  });

  it('stops on the VM exit whose condition holds; the call stack reads L2, the entry that led there, L1', async () => {
    const session = await editor.atEptViolation();
    equal(conversation.stops.at(-1)!.reason, 'exception');
    const frames = await conversation.frames(session);
    const names = frames.map(({ name }) => name);
    equal(names.length, 3);
    ok(/^L2 guest_touch\+0x\w+ \(exited: EPT_VIOLATION\)$/.test(names[0]!), names.join(' | '));
    ok(/^VM entry: VMRESUME at resume\+0x\w+, VMCS 0x\w+$/.test(names[1]!), names.join(' | '));
    ok(/^L1 vm_exit_handler /.test(names[2]!), names.join(' | '));
    ok(frames[0]!.source?.path?.endsWith('nested-hello.asm') ?? false, `source ${frames[0]!.source?.path}`);
    const document = await editor.open('nested-hello', 'nested-hello.asm');
    const line = document.lineAt(frames[0]!.line - 1).text;
    ok(line.includes('mov [rdi], rbx'), `line ${frames[0]!.line}: ${line}`);
    const info = (await session.customRequest('exceptionInfo', { threadId: 1 })) as { exceptionId: string; description?: string };
    equal(info.exceptionId, 'EPT_VIOLATION');
    ok(/0x20000/.test(info.description ?? ''), JSON.stringify(info));
  });

  it('into VMRESUME lands in L2, out of L2 in L1’s exit handler, over VMRESUME after L1’s next exit', async () => {
    const document = await editor.open('nested-hello', 'nested-hello.asm');
    const vmresume = document.positionAt(document.getText().search(/^ {4}vmresume$/m) + 5);
    vscode.debug.addBreakpoints([new vscode.SourceBreakpoint(new vscode.Location(document.uri, vmresume))]);
    const session = await editor.start();
    await editor.breakOnExit(session, undefined);
    const atVmresume = async (): Promise<void> => {
      const top = await editor.key(session, 'continue');
      const [frame] = await conversation.frames(session);
      ok(top.startsWith('L1 resume') && frame!.line === vmresume.line + 1, `${top}, line ${frame!.line}`);
    };
    await atVmresume();
    let top = await editor.key(session, 'stepInto');
    // The first exit was CPUID's, so the guest goes on behind it.
    ok(/^L2 guest_cpuid\+0x7$/.test(top), `into: ${top}`);
    top = await editor.key(session, 'stepOut');
    ok(/^L1 vm_exit_handler( |$)/.test(top), `out: ${top}`);
    equal(await exits(session), 2);
    await atVmresume();
    top = await editor.key(session, 'stepOver');
    ok(/^L1 vm_exit_handler( |$)/.test(top), `over: ${top}`);
    equal(await exits(session), 3);
    equal(conversation.stops.at(-1)!.reason, 'step');
  });

  async function exits(session: vscode.DebugSession): Promise<number> {
    const { counts } = (await session.customRequest('nestscope/exits', { limit: 0 })) as { counts: Record<string, number> };
    return Object.values(counts).reduce((sum, count) => sum + count, 0);
  }

  it('steps into an exit, over an exiting instruction, and out of the guest', async () => {
    const session = await editor.start();
    let top = await editor.toExit(session, 'reason == CPUID');
    ok(/^L2 guest_cpuid\S* \(exited: CPUID\)/.test(top), top);
    await editor.breakOnExit(session, undefined);
    top = await editor.key(session, 'stepInto');
    ok(top.startsWith('L1 vm_exit_handler'), `into: ${top}`);
    top = await editor.toExit(session, 'reason == RDMSR');
    ok(/^L2 guest_rdmsr\S* \(exited: RDMSR\)/.test(top), top);
    await editor.breakOnExit(session, undefined);
    top = await editor.key(session, 'stepOver');
    ok(/^L2 guest_rdmsr/.test(top) && !top.includes('exited'), `over: ${top}`);
    top = await editor.key(session, 'stepOut');
    ok(top.startsWith('L1 vm_exit_handler'), `out: ${top}`);
  });

  it('stops where a VM entry is refused, with the name of the check and the values that failed it', async () => {
    const session = await editor.start('entry-failure');
    await session.customRequest('setExceptionBreakpoints', { filters: ['vm-entry-failure'] });
    const checks = new Set<string>();
    for (let refusal = 0; refusal < 12 && checks.size < 3; refusal++) {
      await editor.key(session, 'continue');
      const info = (await session.customRequest('exceptionInfo', { threadId: 1 })) as { exceptionId: string; description?: string };
      if (/^VMfail/.test(info.exceptionId)) continue; // Refused before any check of a VMCS, such as for want of one.
      const { description, text } = conversation.stops.at(-1)!;
      equal(description, 'VM entry refused');
      ok(text === info.description && text!.includes(info.exceptionId), `the check by name: ${text}`);
      ok(/[A-Z0-9_]+ = 0x[0-9a-f]+/.test(text ?? ''), `the values that failed: ${text}`);
      checks.add(info.exceptionId);
    }
    ok(checks.size === 3, `three checks by name: ${[...checks].join(', ')}`);
    console.log(`    refused by ${[...checks].join(', ')}`);
  });

  it('stops at a triple fault with the chain of faults that led to it', async () => {
    const session = await editor.start('hello64');
    const { instructionPointerReference } = (await conversation.frames(session))[0]! as { instructionPointerReference?: string };
    const rip = Number(BigInt(instructionPointerReference!.replace(/^l1:gva:/, '')));
    // LIDT of the ten zero bytes behind it (an IDT of one byte), then UD2.
    const zeros = rip + 9;
    const address = [0, 8, 16, 24].map((shift) => (zeros >> shift) & 0xff);
    const code = [0x0f, 0x01, 0x1d, ...address, 0x0f, 0x0b, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    await session.customRequest('writeMemory', { memoryReference: instructionPointerReference, data: btoa(String.fromCharCode(...code)) });
    await editor.key(session, 'continue');
    const { description, text } = conversation.stops.at(-1)!;
    equal(description, 'Triple fault');
    // SDM volume 3, "Interrupt 8—Double Fault Exception": #GP while #UD is delivered is delivered in its turn; #GP while #GP is makes #DF.
    const chain = [
      /^1\. First: #UD .* in L1 at start\+0x7/m,
      /^2\. While #UD was being delivered: #GP /m,
      /^3\. While #GP was being delivered: #GP /m,
      /^4\. While #GP was being delivered: #DF /m,
      /^5\. While #DF was being delivered: #GP /m,
    ];
    for (const line of chain) ok(line.test(text ?? ''), `${line} in ${text}`);
    const info = (await session.customRequest('exceptionInfo', { threadId: 1 })) as { exceptionId: string; description?: string };
    equal(info.exceptionId, 'TRIPLE_FAULT');
    equal(info.description, text);
  });

  it('refuses wrong configurations with a sentence each, and ends their sessions', async () => {
    const wrong: [attributes: object, sentence: RegExp][] = [
      [{ program: editor.path('no-such.elf') }, /no-such\.elf' cannot be read/],
      [{ program: 7 }, /The launch attribute 'program' is 7; expected /],
      [{}, /The launch attribute 'program' is missing; expected /],
      [{ program: editor.path('hello64', 'hello64.elf'), memory: [] }, /The launch attribute 'memory' is /],
      [{ program: editor.path('hello64', 'hello64.elf'), stopOnEntrance: true }, /'stopOnEntrance' is not known; did you mean /],
      [{ program: editor.path('hello64', 'hello64.asm') }, /hello64\.asm/],
    ];
    for (const [attributes, sentence] of wrong) {
      const errors = conversation.errors.length;
      await vscode.debug
        .startDebugging(editor.folder, { type: 'nestscope', request: 'launch', name: 'wrong', ...attributes })
        .then(undefined, () => false);
      await until(() => conversation.errors.length > errors, `a sentence about ${JSON.stringify(attributes)}`);
      ok(sentence.test(conversation.errors.at(-1)!), `${conversation.errors.at(-1)} says ${sentence}`);
      await until(() => vscode.debug.activeDebugSession === undefined, 'no session');
    }
    await vscode.commands.executeCommand('notifications.clearAll');
  });

  it('runs nested-hello to its end and shows what it printed', async () => {
    const session = await editor.start();
    const printed = await editor.toEnd(session);
    const expected = new TextDecoder().decode(await vscode.workspace.fs.readFile(editor.file('nested-hello', 'expected-output.txt')));
    for (const line of expected.trim().split('\n')) ok(printed.includes(line), `the output has "${line}": ${printed}`);
  });
});
