/** The guest's first serial port (COM1) as a terminal: what it prints, and what the user types for it. */
import * as vscode from 'vscode';
import type { CustomEvents, SerialInputArguments } from '../debug-adapter/protocol';

/** How much of the past a terminal shows that is opened late. */
const charactersKept = 100_000;

class SerialConsole {
  private past = '';
  private readonly decoder = new TextDecoder();
  private readonly written = new vscode.EventEmitter<string>();
  private terminal: vscode.Terminal | undefined;

  constructor(private readonly session: vscode.DebugSession) {}

  receive(base64: string): void {
    const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
    const text = this.decoder.decode(bytes, { stream: true }).replace(/\r?\n/g, '\r\n');
    this.past = (this.past + text).slice(-charactersKept);
    this.written.fire(text);
  }

  show(): void {
    this.terminal ??= vscode.window.createTerminal({
      name: `COM1: ${this.session.name}`,
      iconPath: new vscode.ThemeIcon('plug'),
      pty: {
        onDidWrite: this.written.event,
        open: () => this.written.fire(this.past),
        close: () => (this.terminal = undefined),
        handleInput: (typed: string) => this.send(typed),
      },
    });
    this.terminal.show(true);
  }

  end(): void {
    this.written.fire('\r\n\x1b[2m(the machine is gone)\x1b[0m\r\n');
  }

  private send(text: string): void {
    const input: SerialInputArguments = { text };
    this.session.customRequest('nestscope/serialInput', input).then(undefined, () => {
      // The machine is gone, and the terminal says so.
    });
  }
}

export class SerialConsoles implements vscode.Disposable {
  private readonly consoles = new Map<string, SerialConsole>();
  private readonly subscriptions: readonly vscode.Disposable[];

  constructor() {
    this.subscriptions = [
      vscode.debug.onDidReceiveDebugSessionCustomEvent(({ session, event, body }) => {
        if (event !== 'nestscope/serial') return;
        const { port, base64 } = body as CustomEvents['nestscope/serial'];
        if (port === 'COM1') this.of(session).receive(base64);
      }),
      vscode.debug.onDidTerminateDebugSession((session) => {
        this.consoles.get(session.id)?.end();
        this.consoles.delete(session.id);
      }),
    ];
  }

  show(session: vscode.DebugSession | undefined): void {
    if (session) this.of(session).show();
    else void vscode.window.showInformationMessage('There is no machine: start one with F5, then open its serial console.');
  }

  dispose(): void {
    for (const subscription of this.subscriptions) subscription.dispose();
  }

  private of(session: vscode.DebugSession): SerialConsole {
    let found = this.consoles.get(session.id);
    if (!found) this.consoles.set(session.id, (found = new SerialConsole(session)));
    return found;
  }
}
