/** A tree view over the adapter's inspection: asks for children when somebody sees them, and marks what changed since the last stop. */
import * as vscode from 'vscode';
import type { InspectArguments, InspectedNode, InspectResult } from '../debug-adapter/protocol';
import { changeBreakpoint, handlerBreakpoint } from './row-breakpoints';
import type { Sessions } from './sessions';

/** A view that counts while the machine runs is read this often. */
const liveEvery = 1000;

export interface InspectViewOptions {
  readonly id: string;
  /** Root of the adapter's inspection. */
  readonly root: string;
  /** Goes on counting while the machine runs. */
  readonly live?: boolean;
  /** What the view says when the adapter has nothing for it. */
  readonly empty: string;
}

export class InspectView implements vscode.TreeDataProvider<InspectedNode>, vscode.Disposable {
  private readonly refreshed = new vscode.EventEmitter<void>();
  readonly onDidChangeTreeData = this.refreshed.event;
  /** Values by node id, as fetched at this stop and at the one before at which anything was shown. */
  private values = new Map<string, string>();
  private before = new Map<string, string>();
  private seen = '';
  private readonly parents = new Map<string, InspectedNode>();
  private readonly tree: vscode.TreeView<InspectedNode>;
  private readonly subscriptions: readonly vscode.Disposable[];
  private stale = true;
  private timer: ReturnType<typeof setTimeout> | undefined;
  /** How often a row's children were asked for, for tests. */
  fetches = 0;

  constructor(
    private readonly sessions: Sessions,
    private readonly options: InspectViewOptions,
  ) {
    this.tree = vscode.window.createTreeView(options.id, { treeDataProvider: this, showCollapseAll: true });
    this.subscriptions = [
      this.tree,
      this.refreshed,
      sessions.onDidSettle(() => this.refresh()),
      this.tree.onDidChangeVisibility(({ visible }) => visible && this.stale && this.refresh()),
    ];
  }

  /** Somebody sees it. */
  get visible(): boolean {
    return this.tree.visible;
  }

  /** The row that has the focus. */
  get selected(): InspectedNode | undefined {
    return this.tree.selection[0];
  }

  /** Draws the view anew if somebody sees it, else when somebody does. */
  refresh(): void {
    clearTimeout(this.timer);
    this.stale = !this.tree.visible;
    if (this.stale) return;
    const { current, stoppedSession } = this.sessions;
    this.tree.message = current && !stoppedSession && !this.options.live ? 'The machine is running.' : undefined;
    this.refreshed.fire();
    if (current && !stoppedSession && this.options.live) this.timer = setTimeout(() => this.refresh(), liveEvery);
  }

  async getChildren(parent?: InspectedNode): Promise<InspectedNode[]> {
    const session = this.options.live ? this.sessions.current : this.sessions.stoppedSession;
    if (!session) return [];
    this.fetches++;
    this.turnTo(`${session.id} ${this.sessions.stopsOf(session)}`, session.id);
    const request: InspectArguments = { id: parent?.id ?? this.options.root, vcpu: this.sessions.vcpu };
    let nodes: readonly InspectedNode[];
    try {
      nodes = (await this.sessions.askForView<InspectResult>(session, 'nestscope/inspect', request)).nodes;
    } catch {
      return []; // The machine went on or ended while it was asked.
    }
    for (const node of nodes) {
      if (parent) this.parents.set(node.id, parent);
      if (!node.expandable || node.value !== undefined) this.values.set(node.id, valueOf(node));
    }
    if (!parent && this.sessions.stoppedSession) this.tree.message = nodes.length === 0 ? this.options.empty : undefined;
    return [...nodes];
  }

  /** At the first row that is read at a new stop, what was read before becomes what it is compared with. */
  private turnTo(stop: string, session: string): void {
    if (stop === this.seen) return;
    this.before = this.seen.startsWith(session) ? this.values : new Map<string, string>();
    this.values = new Map();
    this.seen = stop;
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
    item.description = [node.value, node.symbol && `<${node.symbol}>`, node.description]
      .filter((part) => part !== undefined && part !== '')
      .join('  ');
    item.contextValue = kindsOf(node).join(' ');
    item.tooltip = tooltipOf(node, changed ? this.before.get(node.id) : undefined);
    if (changed) item.iconPath = new vscode.ThemeIcon('diff-modified', new vscode.ThemeColor('gitDecoration.modifiedResourceForeground'));
    item.accessibilityInformation = {
      label: [node.label, item.description, changed ? 'changed since the last stop' : ''].filter(Boolean).join(', '),
    };
    return item;
  }

  dispose(): void {
    clearTimeout(this.timer);
    for (const subscription of this.subscriptions) subscription.dispose();
  }
}

/** By these words the row's menu offers what makes sense (package.json, view/item/context). */
function kindsOf(node: InspectedNode): string[] {
  return [
    'row',
    ...(node.value === undefined ? [] : ['value']),
    ...(node.memoryReference ? ['memory'] : []),
    ...(changeBreakpoint(node) ? ['change'] : []),
    ...(handlerBreakpoint(node) ? ['handler'] : []),
  ];
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
