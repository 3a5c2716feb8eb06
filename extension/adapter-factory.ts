/** Makes the debug adapter of a session: in a worker where the host grants one, else inline in the extension host's own thread. */
import * as vscode from 'vscode';
import { createInlineAdapter } from '../debug-adapter/doors/inline';
import { WorkerAdapter, type WorkerPort } from './worker-adapter';
import { readFile } from './workspace-files';

export class AdapterFactory implements vscode.DebugAdapterDescriptorFactory {
  /** Where the last session's adapter runs. */
  lastPlace: 'worker' | 'inline' | undefined;

  constructor(
    private readonly startWorker: () => Promise<WorkerPort>,
    private readonly log: vscode.LogOutputChannel,
  ) {}

  async createDebugAdapterDescriptor(): Promise<vscode.DebugAdapterDescriptor> {
    const adapter = await this.inWorker();
    this.lastPlace = adapter ? 'worker' : 'inline';
    if (adapter) return new vscode.DebugAdapterInlineImplementation(adapter);
    return new vscode.DebugAdapterInlineImplementation(createInlineAdapter({ readFile }) as vscode.DebugAdapter);
  }

  private async inWorker(): Promise<WorkerAdapter | undefined> {
    try {
      return new WorkerAdapter(await this.startWorker());
    } catch (error) {
      this.log.warn(`No worker here, so the machine runs in the extension host: ${String(error)}`);
      return undefined;
    }
  }
}
