/** A tree view over the adapter's inspection: asks for children when they are shown, and marks what changed since the last stop. */
import * as vscode from 'vscode';
import type { InspectArguments, InspectedNode, InspectResult } from '../debug-adapter/protocol';
import type { Sessions } from './sessions';

export class InspectView implements vscode.TreeDataProvider<InspectedNode>, vscode.Disposable {
  private readonly refreshed = new vscode.EventEmitter<void>();
  readonly onDidChangeTreeData = this.refreshed.event;
  /** Values by node id, as fetched at this stop and at the one before. */
  private values = new Map<string, string>();
  private before = new Map<string, string>();
  private seen = '';
  private readonly parents = new Map<string, InspectedNode>();
  private readonly subscription: vscode.Disposable;

  constructor(
    private readonly sessions: Sessions,
    private readonly rootId: string,
  ) {
    this.subscription = sessions.onDidChange(() => this.refresh());
  }

  refresh(): void {
    const session = this.sessions.stoppedSession;
    const key = session ? `${session.id} ${this.sessions.stopsOf(session)}` : this.seen;
    if (session && key !== this.seen) {
      this.before = this.seen.startsWith(session.id) ? this.values : new Map<string, string>();
      this.values = new Map();
      this.seen = key;
    }
    this.refreshed.fire();
  }

  async getChildren(parent?: InspectedNode): Promise<InspectedNode[]> {
    const session = this.sessions.stoppedSession;
    if (!session) return [];
    const request: InspectArguments = { id: parent?.id ?? this.rootId, vcpu: this.sessions.vcpu };
    let nodes: readonly InspectedNode[];
    try {
      nodes = ((await session.customRequest('nestscope/inspect', request)) as InspectResult).nodes;
    } catch {
      return []; // The machine went on or ended while it was asked.
    }
    for (const node of nodes) {
      if (parent) this.parents.set(node.id, parent);
      if (!node.expandable) this.values.set(node.id, valueOf(node));
    }
    return [...nodes];
  }

  getParent(node: InspectedNode): InspectedNode | undefined {
    return this.parents.get(node.id);
  }

  hasChanged(node: InspectedNode): boolean {
    const old = this.before.get(node.id);
    return old !== undefined && old !== valueOf(node);
  }

  getTreeItem(node: InspectedNode): vscode.TreeItem {
    const item = new vscode.TreeItem(
      node.label,
      node.expandable ? vscode.TreeItemCollapsibleState.Collapsed : vscode.TreeItemCollapsibleState.None,
    );
    const changed = this.hasChanged(node);
    item.id = node.id;
    item.description = [node.value, node.description].filter((part) => part !== undefined && part !== '').join('  ');
    item.contextValue = [node.value === undefined ? '' : 'value', node.memoryReference ? 'memory' : ''].filter(Boolean).join(' ') || 'row';
    item.tooltip = tooltipOf(node, changed ? this.before.get(node.id) : undefined);
    if (changed) item.iconPath = new vscode.ThemeIcon('diff-modified', new vscode.ThemeColor('gitDecoration.modifiedResourceForeground'));
    item.accessibilityInformation = {
      label: [node.label, item.description, changed ? 'changed since the last stop' : ''].filter(Boolean).join(', '),
    };
    return item;
  }

  dispose(): void {
    this.subscription.dispose();
    this.refreshed.dispose();
  }
}

function valueOf(node: InspectedNode): string {
  return node.value ?? node.description ?? '';
}

function tooltipOf(node: InspectedNode, old: string | undefined): vscode.MarkdownString {
  const text = new vscode.MarkdownString();
  text.appendMarkdown('**').appendText(node.label).appendMarkdown('**');
  if (node.value !== undefined) text.appendMarkdown(` \`${node.value}\``);
  for (const line of [node.description, node.tooltip]) if (line) text.appendMarkdown('\n\n').appendText(line);
  if (old !== undefined) text.appendMarkdown(`\n\nwas \`${old}\` at the last stop`);
  return text;
}
