/** Panels of memory in any address space: edited in place, several at once, read again at every stop. */
import * as vscode from 'vscode';
import { memoryFrame, memoryRows, splitReference } from './memory-html';
import { toggleFunctionBreakpoint } from './row-breakpoints';
import type { Sessions } from './sessions';

const bytesShown = 512;

/** What the webview sends (media/memory-view.js). */
type ViewMessage =
  | { readonly kind: 'ready' }
  | { readonly kind: 'go'; readonly space: string; readonly address: string }
  | { readonly kind: 'move'; readonly pages: number }
  | { readonly kind: 'follow'; readonly offset: number }
  | { readonly kind: 'watch'; readonly offset: number }
  | { readonly kind: 'write'; readonly offset: number; readonly byte: number };

class MemoryPanel {
  bytes = new Uint8Array(0);
  private before: Uint8Array | undefined;
  private stop = -1;
  private stale = false;

  constructor(
    readonly panel: vscode.WebviewPanel,
    private readonly sessions: Sessions,
    public reference: string,
  ) {
    panel.webview.onDidReceiveMessage((message: ViewMessage) => void this.receive(message));
    panel.onDidChangeViewState(() => this.panel.visible && this.stale && void this.read());
  }

  /** A panel behind another one is read when it comes to the front. */
  readIfSeen(): void {
    this.stale = !this.panel.visible;
    if (!this.stale) void this.read();
  }

  async go(reference: string): Promise<void> {
    this.reference = reference;
    this.before = undefined;
    this.stop = -1;
    await this.read();
  }

  /** Reads the page again; at a new stop what it was becomes what it was before. */
  async read(): Promise<void> {
    const session = this.sessions.stoppedSession;
    const place = splitReference(this.reference);
    if (!session || !place) return;
    this.stale = false;
    try {
      const request = { memoryReference: this.reference, count: bytesShown };
      const answer = await this.sessions.askForView<{ data?: string }>(session, 'readMemory', request);
      const stop = this.sessions.stopsOf(session);
      if (stop !== this.stop) this.before = this.stop < 0 ? undefined : this.bytes;
      this.stop = stop;
      this.bytes = Uint8Array.from(atob(answer.data ?? ''), (character) => character.charCodeAt(0));
      const rows = memoryRows({ reference: this.reference, start: place.address, bytes: this.bytes, before: this.before });
      this.panel.title = `Memory ${this.reference}`;
      this.post({ rows, reference: this.reference, space: place.space, address: `0x${place.address.toString(16)}` });
    } catch (error) {
      this.post({ message: error instanceof Error ? error.message : String(error) });
    }
  }

  private post(message: object): void {
    void this.panel.webview.postMessage(message);
  }

  private async receive(message: ViewMessage): Promise<void> {
    const place = splitReference(this.reference);
    switch (message.kind) {
      case 'ready':
        return this.read();
      case 'go':
        return this.goTo(message.space, message.address);
      case 'move':
        if (place)
          return this.go(`${place.space}:0x${BigInt.asUintN(64, place.address + BigInt(message.pages * bytesShown)).toString(16)}`);
        return;
      case 'follow':
        if (place && this.bytes.length >= message.offset + 8)
          return this.go(`${place.space}:0x${new DataView(this.bytes.buffer).getBigUint64(message.offset, true).toString(16)}`);
        return;
      case 'watch':
        if (place) toggleFunctionBreakpoint(`change:${place.space}:0x${(place.address + BigInt(message.offset)).toString(16)}/1`);
        return;
      case 'write':
        return this.writeAt(message.offset, message.byte);
    }
  }

  /** The address may be an expression: the adapter says what it is. */
  private async goTo(space: string, address: string): Promise<void> {
    if (/^0x[0-9a-f]+$/i.test(address)) return this.go(`${space}:${address}`);
    if (splitReference(address)) return this.go(address);
    try {
      const session = this.sessions.stoppedSession;
      const request = { expression: address, context: 'watch', frameId: this.sessions.frameId };
      const answer = session && (await this.sessions.ask<{ result: string }>(session, 'evaluate', request));
      const number = /0x[0-9a-f]+/i.exec(answer?.result ?? '')?.[0];
      if (number) await this.go(`${space}:${number}`);
      else this.post({ message: 'The machine is running, or there is none.' });
    } catch (error) {
      this.post({ message: error instanceof Error ? error.message : String(error) });
    }
  }

  /** The editor hears of it by the adapter's events, and so do the other panels. */
  async writeAt(offset: number, byte: number): Promise<void> {
    const session = this.sessions.stoppedSession;
    const place = splitReference(this.reference);
    if (!session || !place) return;
    const memoryReference = `${place.space}:0x${(place.address + BigInt(offset)).toString(16)}`;
    try {
      await this.sessions.ask(session, 'writeMemory', { memoryReference, data: btoa(String.fromCharCode(byte)) });
    } catch (error) {
      this.post({ message: error instanceof Error ? error.message : String(error) });
    }
    await this.read();
  }
}

export class MemoryViews implements vscode.Disposable {
  private readonly panels = new Set<MemoryPanel>();
  private readonly subscription: vscode.Disposable;

  constructor(
    private readonly sessions: Sessions,
    private readonly extension: vscode.Uri,
  ) {
    this.subscription = sessions.onDidSettle(() => {
      for (const panel of this.panels) panel.readIfSeen();
    });
  }

  /** Opens a panel at a memory reference; asks for one where none is given. */
  async show(given?: string): Promise<void> {
    const reference =
      given ??
      (await vscode.window.showInputBox({ title: 'Memory', prompt: 'Where: l2:gva:0x…, l1:gpa:0x… or hpa:0x…', value: 'hpa:0x0' }));
    if (!reference) return;
    const there = [...this.panels].find((panel) => panel.reference === reference);
    if (there) return there.panel.reveal(undefined, true);
    const media = vscode.Uri.joinPath(this.extension, 'media');
    const panel = vscode.window.createWebviewPanel(
      'nestscope.memory',
      `Memory ${reference}`,
      { viewColumn: vscode.ViewColumn.Beside, preserveFocus: true },
      { enableScripts: true, localResourceRoots: [media], retainContextWhenHidden: true },
    );
    const memory = new MemoryPanel(panel, this.sessions, reference);
    this.panels.add(memory);
    panel.onDidDispose(() => this.panels.delete(memory));
    panel.webview.html = memoryFrame(
      panel.webview.asWebviewUri(vscode.Uri.joinPath(media, 'memory-view.js')).toString(),
      panel.webview.cspSource,
    );
    // Its page asks once more when it has loaded, which it may not do before it is in front.
    await memory.read();
  }

  /** What the panel at a memory reference shows, for tests: a webview's content cannot be read back. */
  shown(reference: string): Uint8Array | undefined {
    return [...this.panels].find((panel) => panel.reference === reference)?.bytes;
  }
  /** What two digits typed on a byte of the panel do. */
  async write(reference: string, offset: number, byte: number): Promise<void> {
    await [...this.panels].find((panel) => panel.reference === reference)?.writeAt(offset, byte);
  }

  dispose(): void {
    this.subscription.dispose();
    for (const { panel } of this.panels) panel.dispose();
  }
}
