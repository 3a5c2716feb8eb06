/** VMCS fields by name, through the inspector: the adapter keeps no table of its own. */
import type { InspectNode, Machine } from '../emulator/api';

export interface VmcsFields {
  /** The node of a field such as GUEST_CR3, with its value now; undefined without a current VMCS. */
  node(name: string): InspectNode | undefined;
  field(name: string): bigint | undefined;
  /** Names of all fields that the inspector shows now. */
  names(): readonly string[];
}

const ROOT = 'vmcs';
/** The tree is groups and subgroups of fields; what lies below a field is its bits. */
const DEEPEST = 3;

export function vmcsFields(machine: Machine, vcpu: number): VmcsFields {
  /** Field name → id of its parent: stable over stops, so it is gathered once. */
  let parents: Map<string, string> | undefined;
  const gather = (): Map<string, string> => {
    if (parents && parents.size > 0) return parents;
    parents = new Map();
    visit(ROOT, 1, parents);
    return parents;
  };
  const visit = (id: string, depth: number, into: Map<string, string>): void => {
    for (const child of machine.inspect.children(vcpu, id)) {
      const name = child.id.slice(child.id.lastIndexOf('/') + 1);
      if (/^[A-Z][A-Z0-9_]*$/.test(name) && !into.has(name)) into.set(name, id);
      else if (child.expandable && depth < DEEPEST) visit(child.id, depth + 1, into);
    }
  };
  const node = (name: string): InspectNode | undefined => {
    const parent = gather().get(name);
    if (parent === undefined) return undefined;
    return machine.inspect.children(vcpu, parent).find((child) => child.id.endsWith(`/${name}`));
  };
  return {
    node,
    field(name) {
      const value = node(name)?.value;
      return value !== undefined && /^0x[0-9a-f]+$/i.test(value) ? BigInt(value) : undefined;
    },
    names: () => [...gather().keys()],
  };
}
