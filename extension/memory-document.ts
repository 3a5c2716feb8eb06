/** Memory as a read-only document of bytes, for editors without a hex editor: `nestscope-memory:` + the adapter's memory reference. */
import * as vscode from 'vscode';
import type { Sessions } from './sessions';

const bytesShown = 1024;

export class MemoryDocuments implements vscode.TextDocumentContentProvider, vscode.Disposable {
  static readonly scheme = 'nestscope-memory';
  private readonly changed = new vscode.EventEmitter<vscode.Uri>();
  readonly onDidChange = this.changed.event;
  private readonly subscription: vscode.Disposable;

  constructor(private readonly sessions: Sessions) {
    this.subscription = sessions.onDidChange(() => {
      if (!sessions.stoppedSession) return;
      for (const { uri } of vscode.workspace.textDocuments) if (uri.scheme === MemoryDocuments.scheme) this.changed.fire(uri);
    });
  }

  async show(reference: string): Promise<void> {
    const uri = vscode.Uri.from({ scheme: MemoryDocuments.scheme, path: `/${reference}` });
    const document = await vscode.workspace.openTextDocument(uri);
    await vscode.window.showTextDocument(document, { preview: true, viewColumn: vscode.ViewColumn.Beside, preserveFocus: true });
  }

  async provideTextDocumentContent(uri: vscode.Uri): Promise<string> {
    const session = this.sessions.stoppedSession;
    const reference = uri.path.slice(1);
    if (!session) return `${reference}: the machine is running, or there is none.\n`;
    try {
      const answer = (await session.customRequest('readMemory', { memoryReference: reference, count: bytesShown })) as {
        address: string;
        data?: string;
        unreadableBytes?: number;
      };
      return hexDump(reference, answer.address, answer.data ?? '');
    } catch (error) {
      return `${reference}: ${error instanceof Error ? error.message : String(error)}\n`;
    }
  }

  dispose(): void {
    this.subscription.dispose();
    this.changed.dispose();
  }
}

function hexDump(reference: string, address: string, base64: string): string {
  const start = /0x[0-9a-f]+/i.exec(address)?.[0] ?? '0x0';
  const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
  if (bytes.length === 0) return `${reference}: nothing is mapped here.\n`;
  const lines = [reference];
  for (let offset = 0; offset < bytes.length; offset += 16) {
    const row = [...bytes.subarray(offset, offset + 16)];
    const hex = row.map((byte) => byte.toString(16).padStart(2, '0'));
    const text = row.map((byte) => (byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : '.')).join('');
    lines.push(
      `${(BigInt(start) + BigInt(offset)).toString(16).padStart(16, '0')}  ${hex.slice(0, 8).join(' ').padEnd(23)}  ${hex.slice(8).join(' ').padEnd(23)}  ${text}`,
    );
  }
  return lines.join('\n') + '\n';
}
