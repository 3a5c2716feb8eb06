/**
 * What the views, hovers and documents show of a machine that stands, in a real VS Code: the VMCS, gates, page tables, translations, memory.
 * The same file runs in a node host and in web worker hosts.
 */
import * as vscode from 'vscode';
import type { InspectedNode, ResolveResult } from '../../debug-adapter/protocol';
import { VMCS_FIELDS } from '../../emulator/spec/vmcs-fields';
import { equal, ok, until } from './conversation';
import { Editor } from './editor';

const GUEST_MEMORY = 0xa00000n; // nested-hello.asm: the HPA of its guest's GPA 0.

describe(`Nestscope's views in VS Code ${vscode.version}`, () => {
  const editor = new Editor();
  const vmcs = 'nestscope.controlStructures';
  const tables = 'nestscope.pageTables';

  async function memoryAt(session: vscode.DebugSession, memoryReference: string, count: number): Promise<Uint8Array> {
    const { data } = (await session.customRequest('readMemory', { memoryReference, count })) as { data: string };
    return Uint8Array.from(atob(data), (character) => character.charCodeAt(0));
  }

  /** Fields of the VMCS by name, wherever they stand in the tree. */
  async function fields(): Promise<Map<string, InspectedNode>> {
    const rows = await editor.rows(vmcs, 3);
    return new Map(rows.filter(({ value }) => value !== undefined).map((row) => [row.label, row]));
  }

  it('lists every VMCS field decoded by group, and marks what changed', async () => {
    const session = await editor.atEptViolation();
    const view = editor.api.views[vmcs]!;
    const groups = (await view.getChildren()).map(({ label }) => label);
    for (const group of [
      'Guest-state area',
      'Host-state area',
      'VM-execution control',
      'VM-exit control',
      'VM-entry control',
      'VM-exit information',
    ])
      ok(
        groups.some((label) => label.toLowerCase().startsWith(group.toLowerCase())),
        `${group} among ${groups.join(', ')}`,
      );
    const before = await fields();
    const missing = VMCS_FIELDS.filter(({ name }) => !before.has(name)).map(({ name }) => name);
    equal(missing.join(', '), '');
    ok(before.size > 150, `${before.size} fields`);
    equal(BigInt(before.get('GUEST_PHYSICAL_ADDRESS')!.value!), 0x20000n);
    ok(/EPT_VIOLATION/.test(before.get('VM_EXIT_REASON')!.description ?? ''), JSON.stringify(before.get('VM_EXIT_REASON')));
    equal(before.get('HOST_RIP')!.symbol, 'vm_exit_handler');
    const bits = await view.getChildren(before.get('PRIMARY_PROCESSOR_BASED_VM_EXECUTION_CONTROLS'));
    ok(
      bits.some(({ label, description }) => /hlt/i.test(`${label} ${description}`)),
      `the control's bits: ${bits.map(({ label }) => label).join(', ')}`,
    );
    ok(![...before.values()].some((row) => view.hasChanged(row)), 'nothing is marked at the first look');
    await editor.toExit(session, 'reason == HLT');
    const after = await fields();
    const changed = [...after.values()].filter((row) => view.hasChanged(row)).map(({ label }) => label);
    for (const name of ['GUEST_RIP', 'VM_EXIT_REASON']) ok(changed.includes(name), `${name} among what is marked: ${changed.join(', ')}`);
    for (const name of ['HOST_RIP', 'GUEST_CR3']) ok(!changed.includes(name), `${name} is marked, and did not change`);
    const item = view.getTreeItem(after.get('GUEST_RIP')!);
    ok(item.iconPath instanceof vscode.ThemeIcon && item.iconPath.id === 'diff-modified', 'a mark');
    ok(/changed/.test(item.accessibilityInformation?.label ?? ''), `for screen readers: ${item.accessibilityInformation?.label}`);
  });

  it('shows 256 gates with the symbols of their handlers', async () => {
    await editor.atEptViolation();
    const view = editor.api.views['nestscope.interrupts']!;
    const l1 = (await view.getChildren()).find(({ label }) => label === 'L1 IDT')!;
    const gates = await view.getChildren(l1);
    equal(gates.length, 256);
    // exceptions.inc: a stub of 16 bytes for each of the first 32 vectors; the others were never written.
    for (let vector = 0; vector < 32; vector++) {
      const offset = vector === 0 ? '' : `+0x${(16 * vector).toString(16)}`;
      equal(gates[vector]!.symbol, `exception_stubs${offset}`);
      ok(String(view.getTreeItem(gates[vector]!).description).includes('<exception_stubs'), 'the row names the handler');
      ok(/interrupt gate/.test(gates[vector]!.description ?? ''), gates[vector]!.description ?? '');
    }
    ok(
      gates.slice(32).every(({ symbol }) => symbol === undefined),
      'no handlers behind them',
    );
    ok(/^14 .*page fault/i.test(gates[14]!.label), gates[14]!.label);
  });

  it('shows what is pending, the interrupt controllers and every device, as they stand', async () => {
    await editor.atEptViolation();
    const interrupts = editor.api.views['nestscope.interrupts']!;
    const roots = await interrupts.getChildren();
    const named = (rows: readonly InspectedNode[], label: RegExp): InspectedNode => {
      const row = rows.find((one) => label.test(one.label));
      if (row === undefined) throw new Error(`${String(label)} is not among ${rows.map((one) => one.label).join(', ')}`);
      return row;
    };
    for (const label of [/^Pending events/, /^Local APIC/, /^I\/O APIC/, /8259/]) named(roots, label);
    const apic = await interrupts.getChildren(named(roots, /^Local APIC/));
    for (const label of ['IRR', 'ISR', 'TPR', 'PPR', 'Next']) named(apic, new RegExp(`^${label}$`));
    equal((await interrupts.getChildren(named(roots, /^I\/O APIC/))).filter(({ label }) => /^Pin \d+/.test(label)).length, 24);

    const view = editor.api.views['nestscope.devices']!;
    const devices = await view.getChildren();
    ok(devices.length > 15, devices.map(({ label }) => label).join(', '));
    for (const device of devices) ok((await view.getChildren(device)).length > 0, `${device.label} says nothing`);
    // Looking moves nothing.
    const rows = async (): Promise<string> => JSON.stringify(await editor.rows('nestscope.devices', 3));
    equal(await rows(), await rows());
    ok(!devices.some((device) => view.hasChanged(device)), 'nothing is marked at the first look');
  });

  it('walks guest CR3 and EPT lazily, entry by entry as they stand in memory', async () => {
    const session = await editor.atEptViolation();
    const view = editor.api.views[tables]!;
    const roots = await view.getChildren();
    const asked = view.fetches;
    const child = async (parent: InspectedNode, label: RegExp): Promise<InspectedNode> => {
      const children = await view.getChildren(parent);
      return children.find((row) => label.test(row.label)) ?? fail(`no ${label} among ${children.map((row) => row.label).join(', ')}`);
    };
    const root = (label: string): InspectedNode => roots.find((row) => row.label === label) ?? fail(`no ${label}`);
    const asInMemory = async (row: InspectedNode): Promise<void> => {
      const bytes = await memoryAt(session, row.memoryReference!, 8);
      equal(new DataView(bytes.buffer).getBigUint64(0, true), BigInt(row.value!));
    };
    // nested-hello.asm, build_guest_memory: PML4[0] → PDPT[1] → PD[0], a page of 2 MiB for GVA 0x40000000.
    const pml4 = await child(root('L2 CR3'), /^PML4\[0\]/);
    const pdpt = await child(pml4, /^PDPT\[1\] 0x40000000/);
    const pd = await child(pdpt, /^PD\[0\] 0x40000000/);
    ok(!pd.expandable && /2 MiB page/.test(pd.description ?? ''), JSON.stringify(pd));
    for (const row of [pml4, pdpt, pd]) await asInMemory(row);
    // build_ept: a table of 4 KiB pages with a hole at GPA 0x20000.
    const eptPd = await child(await child(root('L2 EPT'), /PML4\[0\]/), /PDPT\[0\]/);
    const eptPt = await child(eptPd, /PD\[0\] 0x0$/);
    const pages = await view.getChildren(eptPt);
    equal(pages.length, 511);
    ok(!pages.some(({ label }) => /\[32\]/.test(label)), 'the hole is no entry');
    await asInMemory(pages[17]!);
    // One question for each row that was unfolded: nothing else was read.
    equal(view.fetches - asked, 7);
  });

  it('counts VM exits by reason and explains the last ones', async () => {
    await editor.atEptViolation();
    const rows = await editor.rows('nestscope.exits', 2);
    for (const reason of ['CPUID', 'IO_INSTRUCTION', 'RDMSR', 'VMCALL', 'EPT_VIOLATION'])
      equal(rows.find(({ label }) => label === reason)?.value, '1');
    const sites = rows.filter(({ id }) => id.startsWith('exits/count/CPUID/'));
    equal(sites.map(({ label, value }) => `${label} ${value}`).join(), 'L2 0x40010028 1');
    const last = rows.find(({ label }) => /^\d+ EPT_VIOLATION$/.test(label));
    ok(/write/i.test(last?.description ?? ''), JSON.stringify(last));
  });

  it('the hover over a symbol and an address shows GVA → GPA → HPA with each entry, and the guest reads at the GVA what is written at that HPA', async () => {
    const document = await editor.open('nested-hello', 'nested-hello.asm');
    const session = await editor.start();
    // Into the guest, which has not run yet: its first instructions read guest_text and print it.
    await session.customRequest('setFunctionBreakpoints', { breakpoints: [{ name: 'guest_entry' }] });
    ok((await editor.key(session, 'continue')).startsWith('L2 guest_entry'), 'at the guest’s entry');
    const hover = await editor.hover(document, 'guest_text: ');
    const found = /L2 GVA (0x[0-9a-f]+) → GPA (0x[0-9a-f]+) → HPA (0x[0-9a-f]+) \(rwx-, 4 KiB page\)/.exec(hover) ?? fail(hover);
    const [gva, gpa, hpa] = found.slice(1);
    equal(BigInt(gpa!), BigInt(gva!) - 0x40000000n);
    equal(BigInt(hpa!), BigInt(gpa!) + GUEST_MEMORY);
    // Both stages, every level, each entry with what it allows: three guest entries, whose addresses EPT translates, and the page.
    for (const entry of ['PML4[0]', 'PDPT[1]', 'PD[0]', 'EPT PML4[0]', 'EPT PDPT[0]', 'EPT PD[0]', 'EPT PT[16]'])
      ok(new RegExp(`^${entry.replace(/[[\]]/g, '\\$&')} +0x[0-9a-f]+, r[w-][x-]`, 'm').test(hover), `${entry} in ${hover}`);
    const literal = await editor.hover(document, '0x40000000        ; GVA of GPA 0');
    ok(/GVA 0x40000000 → GPA 0x0 → HPA 0xa00000 /.test(literal), literal);
    await session.customRequest('writeMemory', {
      memoryReference: `hpa:0x${(BigInt(hpa!) + 3n).toString(16)}`,
      data: btoa('THE GUEST READ'),
    });
    await session.customRequest('setFunctionBreakpoints', { breakpoints: [] });
    await session.customRequest('setExceptionBreakpoints', { filters: [] });
    const printed = await editor.toEnd(session);
    ok(printed.includes('(THE GUEST READ'), `what the guest printed: ${printed}`);
  });

  it('breaks when a row changes, at the handler of a gate, and on an exit of a reason: rows of the views as breakpoints', async () => {
    const session = await editor.atEptViolation();
    await editor.breakOnExit(session, undefined);
    const functions = (): string[] =>
      vscode.debug.breakpoints.map((breakpoint) => (breakpoint instanceof vscode.FunctionBreakpoint ? breakpoint.functionName : 'another'));
    const known = (): Promise<unknown> =>
      until(
        () =>
          editor.conversation.functionBreakpoints.length === functions().length &&
          editor.conversation.functionBreakpoints.every(({ verified }) => verified),
        `${functions().join(', ')} are verified`,
      );
    const rip = (await fields()).get('GUEST_RIP')!;
    equal(editor.api.views[vmcs]!.getTreeItem(rip).contextValue, 'row value memory change');
    await vscode.commands.executeCommand('nestscope.breakOnChange', rip);
    await known();
    ok(/^change:hpa:0x[0-9a-f]+\/8 GUEST_RIP$/.test(functions()[0]!), functions().join(', '));
    // on_ept_violation leaves GUEST_RIP as it is; the next exit (HLT) writes it.
    ok(/^L1 vm_exit_handler/.test(await editor.key(session, 'continue')), 'after the exit that wrote the field');
    const { reason, text } = editor.conversation.stops.at(-1)!;
    equal(reason, 'data breakpoint');
    ok(/L2 at guest_hlt made the processor write \d+ bytes? at hpa:/.test(text ?? ''), String(text));
    await vscode.commands.executeCommand('nestscope.breakOnChange', rip);
    equal(functions().length, 0);
    const counts = await editor.rows('nestscope.exits', 1);
    await vscode.commands.executeCommand(
      'nestscope.breakOnChange',
      counts.find(({ label }) => label === 'CPUID'),
    );
    const gates = await editor.rows('nestscope.interrupts', 2);
    await vscode.commands.executeCommand(
      'nestscope.breakAtHandler',
      gates.find(({ id }) => id === 'idt/l1/6'),
    );
    ok(/^vmexit:CPUID l1:gva:0x[0-9a-f]+$/.test(functions().join(' ')), functions().join(' '));
    await known();
  });

  it('draws the translation of an unmapped address, and marks the entry that stops it and no other', async () => {
    const session = await editor.atEptViolation();
    const hole = (await session.customRequest('nestscope/resolve', { address: 'l2:gva:0x40020000' })) as ResolveResult;
    ok(hole.hpa === undefined && BigInt(hole.gpa!) === 0x20000n && hole.steps.at(-1)!.stops !== undefined, hole.summary);
    await vscode.commands.executeCommand('nestscope.translate', 'l2:gva:0x40020000');
    await until(() => editor.api.translation.html.includes('The walk stops here'), `the picture: ${editor.api.translation.html}`);
    const marked = editor.api.translation.html.match(/<section class="step [^"]*stops[^"]*"[^>]*>/g) ?? [];
    equal(marked.length, 1);
    ok(/aria-label="EPT PT entry 32, the walk stops here"/.test(marked[0]!), marked[0]!);
  });

  it('opens memory at GVA, GPA and HPA; a byte written at one shows at the others', async () => {
    const session = await editor.atEptViolation();
    const places = ['l2:gva:0x40010000', 'l2:gpa:0x10000', 'hpa:0xa10000'];
    for (const place of places) await vscode.commands.executeCommand('nestscope.memory', place);
    const { memory } = editor.api;
    await until(() => places.every((place) => memory.shown(place)?.length === 512), 'three panels with bytes');
    const code = memory.shown(places[0]!)!;
    equal(code[0], 0x48); // guest_entry begins with LEA RSI, [RIP + …]: 48 8D 35.
    for (const [index, place] of places.entries()) {
      await memory.write(place, 5, 0xa0 + index);
      for (const other of places) {
        equal((await memoryAt(session, other, 6))[5], 0xa0 + index);
        await memory.show(other); // Panels behind others are read when they come to the front.
        await until(() => memory.shown(other)?.[5] === 0xa0 + index, `${other} shows what was written at ${place}`);
      }
    }
  });

  it('shows a disassembly document where the image has no line numbers, and F9 in it stops at the instruction', async () => {
    const program = editor.path('link.ld'); // The bytes are not run: the code is written at the first stop.
    const flat = { format: 'flat', flat: { address: '0x100000', mode: 32 } };
    const session = await editor.start({ type: 'nestscope', request: 'launch', name: 'bytes', program, ...flat });
    // Seven times NOP, then JMP to itself.
    const code = [0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0xeb, 0xfe];
    await session.customRequest('writeMemory', { memoryReference: 'l1:gva:0x100000', data: btoa(String.fromCharCode(...code)) });
    const shown = await until(
      () =>
        vscode.window.visibleTextEditors.find(
          ({ document }) => document.uri.scheme === 'nestscope-disasm' && /^ *nop .*; 0000000000100000 /m.test(document.getText()),
        ),
      'the document with the code',
    );
    equal(shown.document.languageId, 'x86-asm');
    const line = shown.document
      .getText()
      .split('\n')
      .findIndex((text) => / 0000000000100005 /.test(text));
    await vscode.window.showTextDocument(shown.document, { selection: new vscode.Range(line, 0, line, 0) });
    await vscode.commands.executeCommand('editor.debug.action.toggleBreakpoint');
    const breakpoint = await until(() => vscode.debug.breakpoints[0], 'a breakpoint');
    const told = await until(() => session.getDebugProtocolBreakpoint(breakpoint), 'what the adapter says of it');
    ok((told as { verified?: boolean }).verified, JSON.stringify(told));
    equal(await editor.key(session, 'continue'), 'L1 0x100005');
    equal(editor.conversation.stops.at(-1)!.reason, 'instruction breakpoint');
  });
});

function fail(message: string): never {
  throw new Error(message);
}
