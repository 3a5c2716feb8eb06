/** Makes the debug adapter of a session: in a worker where the host grants one, else inline in the extension host's own thread. */
import * as vscode from 'vscode';
import { DirectAdapter } from './direct-adapter';
import type { DisassemblyDocuments } from './disassembly-documents';
import type { Sessions } from './sessions';
import { WorkerAdapter, type WorkerPort } from './worker-adapter';
import { readFile } from './workspace-files';

export class AdapterFactory implements vscode.DebugAdapterDescriptorFactory {
  /** Where the last session's adapter runs. */
  lastPlace: 'worker' | 'inline' | undefined;

  constructor(
    private readonly startWorker: () => Promise<WorkerPort>,
    private readonly disassembly: DisassemblyDocuments,
    private readonly sessions: Sessions,
    private readonly log: vscode.LogOutputChannel,
  ) {}

  async createDebugAdapterDescriptor(session: vscode.DebugSession): Promise<vscode.DebugAdapterDescriptor> {
    const adapter = new DirectAdapter(await this.create());
    this.sessions.register(session.id, adapter);
    return new vscode.DebugAdapterInlineImplementation(this.disassembly.decorate(adapter));
  }

  private async create(): Promise<vscode.DebugAdapter> {
    try {
      const port = await this.startWorker();
      this.lastPlace = 'worker';
      return new WorkerAdapter(port, (failure) => this.inline(failure));
    } catch (error) {
      return await this.inline(error instanceof Error ? error.message : String(error));
    }
  }

  /** Loaded only here: the machine and the disassembler cost the extension host nothing where a worker holds them. */
  private async inline(why: string): Promise<vscode.DebugAdapter> {
    this.lastPlace = 'inline';
    this.log.warn(`No worker here, so the machine runs in the extension host: ${why}`);
    const { createInlineAdapter } = await import('../debug-adapter/doors/inline');
    return createInlineAdapter({ readFile }) as vscode.DebugAdapter;
  }
}
