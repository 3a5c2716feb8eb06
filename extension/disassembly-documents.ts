/**
 * Code without line numbers gets a document of its own, `nestscope-disasm:`, so that the editor has a line to stand on: VS Code selects no
 * frame without a source, and shows neither registers nor views for it then.
 */
import * as vscode from 'vscode';
import type { DirectAdapter } from './direct-adapter';
import { instructionAt, listingOf, stillShows, type DisassembledInstruction, type Listing } from './disassembly-listing';

const instructionsShown = 100;

interface Frame {
  readonly name: string;
  line: number;
  column: number;
  source?: { readonly name: string; readonly path: string };
  readonly instructionPointerReference?: string;
}
interface Message {
  readonly type: string;
  readonly command?: string;
  readonly body?: { readonly stackFrames?: Frame[] };
}

/** The requests that name a line of a source. */
interface Request {
  readonly type: string;
  readonly command?: string;
  readonly arguments?: {
    readonly source?: { readonly path?: string };
    readonly line?: number;
    readonly breakpoints?: readonly { readonly line?: number }[];
  };
}

export class DisassemblyDocuments implements vscode.TextDocumentContentProvider {
  static readonly scheme = 'nestscope-disasm';
  private readonly changed = new vscode.EventEmitter<vscode.Uri>();
  readonly onDidChange = this.changed.event;
  private readonly texts = new Map<string, string>();
  private adapters = 0;

  provideTextDocumentContent(uri: vscode.Uri): string {
    return this.texts.get(uri.toString()) ?? '; The machine that this was read from is gone.\n';
  }

  /** The adapter, with sources for the frames that have none. */
  decorate(adapter: DirectAdapter): vscode.DebugAdapter {
    return new SourcedAdapter(adapter, ++this.adapters, (uri, text) => this.update(uri, text));
  }

  private update(uri: vscode.Uri, text: string | undefined): void {
    if (text === undefined) this.texts.delete(uri.toString());
    else this.texts.set(uri.toString(), text);
    this.changed.fire(uri);
  }
}

class SourcedAdapter implements vscode.DebugAdapter {
  private readonly messages = new vscode.EventEmitter<vscode.DebugProtocolMessage>();
  readonly onDidSendMessage = this.messages.event;
  private readonly listings = new Map<string, Listing>();

  constructor(
    private readonly inner: DirectAdapter,
    private readonly number: number,
    private readonly update: (uri: vscode.Uri, text: string | undefined) => void,
  ) {
    inner.onDidSendMessage((message) => this.receive(message));
  }

  handleMessage(message: vscode.DebugProtocolMessage): void {
    this.inner.handleMessage(this.withInstructions(message as unknown as Request) as unknown as vscode.DebugProtocolMessage);
  }

  /** A line of one of our documents means an instruction: the adapter, which does not know the documents, is told which. */
  private withInstructions(message: Request): Request {
    const path = message.arguments?.source?.path;
    const listing = path === undefined ? undefined : this.listings.get(path);
    if (message.type !== 'request' || listing === undefined || path === undefined) return message;
    const level = /^\/\d+\/L([12])\//.exec(vscode.Uri.parse(path).path)?.[1] ?? '1';
    const named = <T extends { line?: number }>(request: T): T => {
      const found = instructionAt(listing, request.line ?? 0);
      if (!found) return { ...request, instructionReference: '' };
      return { ...request, line: found.line, instructionReference: `l${level}:gva:0x${found.address.toString(16)}` };
    };
    const args = message.arguments!;
    if (message.command === 'gotoTargets') return { ...message, arguments: named(args) };
    if (message.command !== 'setBreakpoints') return message;
    return { ...message, arguments: { ...args, breakpoints: args.breakpoints?.map(named) } };
  }

  dispose(): void {
    for (const address of this.listings.keys()) this.update(vscode.Uri.parse(address), undefined);
    this.inner.dispose();
    this.messages.dispose();
  }

  private receive(raw: vscode.DebugProtocolMessage): void {
    const message = raw as unknown as Message;
    const frames = message.command === 'stackTrace' ? (message.body?.stackFrames ?? []) : [];
    if (frames.some(isBare)) void this.addSources(frames).finally(() => this.messages.fire(raw));
    else this.messages.fire(raw);
  }

  private async addSources(frames: readonly Frame[]): Promise<void> {
    for (const frame of frames.filter(isBare)) await this.addSource(frame, frame.instructionPointerReference!);
  }

  private async addSource(frame: Frame, reference: string): Promise<void> {
    const instructions = await this.disassemble(reference);
    const [first] = instructions;
    if (!first) return;
    const level = /^l([12])/i.exec(reference)?.[1] ?? /^L([12])/.exec(frame.name)?.[1] ?? '1';
    const folder = `/${this.number}/L${level}/`;
    let found = [...this.listings].find(
      ([address, listing]) => vscode.Uri.parse(address).path.startsWith(folder) && stillShows(listing, instructions),
    );
    if (!found) {
      const uri = vscode.Uri.from({ scheme: DisassemblyDocuments.scheme, path: `${folder}${first.address}.asm` });
      found = [uri.toString(), listingOf(instructions)];
      this.listings.set(...found);
      this.update(uri, found[1].text);
    }
    frame.source = { name: `L${level} disassembly`, path: found[0] };
    frame.line = found[1].lines.get(BigInt(first.address))!;
    frame.column = 1;
  }

  private async disassemble(memoryReference: string): Promise<readonly DisassembledInstruction[]> {
    const args = { memoryReference, instructionCount: instructionsShown, resolveSymbols: true };
    try {
      const body = await this.inner.request<{ instructions?: DisassembledInstruction[] } | undefined>('disassemble', args);
      return body?.instructions ?? [];
    } catch {
      return []; // The frame stays without a source.
    }
  }
}

/** A frame of code whose source nobody knows. */
function isBare({ source, instructionPointerReference, ...frame }: Frame): boolean {
  return (
    source === undefined &&
    instructionPointerReference !== undefined &&
    (frame as { presentationHint?: string }).presentationHint !== 'label'
  );
}
