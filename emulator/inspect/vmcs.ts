/** The VMCS as a tree of plain nodes: every field by group with its bits decoded (SDM volume 3, "Organization of VMCS Data"). Reads only. */
import type { InspectNode } from '../api';
import type { PhysicalMemory } from '../memory/physical-memory';
import {
  FIELD_GROUPS,
  fieldByName,
  Field,
  SHADOW_INDICATOR,
  VMCS_FIELDS,
  VMCS_REVISION,
  VmcsRegion,
  type FieldGroup,
  type VmcsField,
} from '../spec/vmcs-fields';
import { controlNamed } from '../spec/vmx-controls';
import type { VmxCapabilities } from '../spec/vmx-capabilities';
import { VMX_ABORT_REASONS } from '../spec/vmcs-formats';
import { LaunchState, Vmcs } from '../vmx/vmcs';
import { describeField, fieldBits, type FieldSurroundings } from './field-words';

const NO_NODES: readonly InspectNode[] = [];

/** Digits of a field's raw value. */
function hexOf(field: VmcsField, value: bigint): string {
  const digits = field.width === 16 ? 4 : field.width === 32 ? 8 : 16;
  return `0x${value.toString(16).padStart(digits, '0')}`;
}

function surroundings(vmcs: Vmcs): FieldSurroundings {
  return { basicReason: vmcs.u32(Field.vmExitReason) & 0xffff, vector: vmcs.u32(Field.vmExitInterruptionInformation) & 0xff };
}

/** Where "go to memory" leads: to what an address field names, else to the field itself in the VMCS region. */
function memoryOf(field: VmcsField, vmcs: Vmcs, value: bigint): InspectNode['memory'] {
  if (field.format === 'address' && field.type === 'guest') return { space: 'gva', level: 2, address: value };
  if (field.format === 'address' && field.type === 'host') return { space: 'gva', level: 1, address: value };
  if (field.format === 'address' && field.id === 'guestLinearAddress') return { space: 'gva', level: 2, address: value };
  if (field.format === 'physical') {
    const level = field.type === 'guest' || field.type === 'read-only' ? 2 : 1;
    return { space: 'gpa', level, address: value & 0x000f_ffff_ffff_f000n };
  }
  if (field.format === 'eptp') return { space: 'gpa', level: 1, address: value & 0x000f_ffff_ffff_f000n };
  return { space: 'hpa', level: 1, address: BigInt(vmcs.pointer + field.offset) };
}

function tooltipOf(field: VmcsField): string {
  const control = field.control === undefined ? undefined : controlNamed(field.control);
  const width = field.width === 'natural' ? 'natural width' : `${field.width} bits`;
  const exists = control === undefined ? '' : ` It exists on processors that support “${control.name}” (${control.word.title}).`;
  return `${field.name}: encoding 0x${field.encoding.toString(16).padStart(4, '0')}, ${width}, ${field.type}.${exists}`;
}

function fieldNode(field: VmcsField, vmcs: Vmcs, around: FieldSurroundings): InspectNode {
  const value = vmcs.u64(field);
  const description = describeField(field, value, around);
  return {
    id: `vmcs/${field.group}/${field.name}`,
    label: field.name,
    value: hexOf(field, value),
    ...(description === '' ? {} : { description }),
    tooltip: tooltipOf(field),
    memory: memoryOf(field, vmcs, value),
    stored: { address: BigInt(vmcs.pointer + field.offset), bytes: typeof field.width === 'number' ? field.width / 8 : 8 },
    expandable: fieldBits(field, value, around).length > 0,
  };
}

function bitNodes(field: VmcsField, vmcs: Vmcs, around: FieldSurroundings): InspectNode[] {
  return fieldBits(field, vmcs.u64(field), around).map(({ bits, value, text }) => ({
    id: `vmcs/${field.group}/${field.name}/${bits.low}`,
    label: bits.high === bits.low ? `${bits.name} (bit ${bits.low})` : `${bits.name} (bits ${bits.high}:${bits.low})`,
    value: `0x${value.toString(16)}`,
    description: text,
    ...(bits.meaning === undefined ? {} : { tooltip: bits.meaning }),
    expandable: false,
  }));
}

function headerNodes(vmcs: Vmcs): InspectNode[] {
  const launched = vmcs.launchState === LaunchState.launched;
  const abort = vmcs.abortIndicator;
  const place = (offset: number): InspectNode['memory'] => ({ space: 'hpa', level: 1, address: BigInt(vmcs.pointer + offset) });
  return [
    {
      id: 'vmcs/region',
      label: 'VMCS region',
      value: `0x${vmcs.pointer.toString(16)}`,
      description: launched ? 'launched' : 'clear',
      tooltip: 'Physical address of the current VMCS and its launch state.',
      memory: place(0),
      expandable: false,
    },
    {
      id: 'vmcs/revision',
      label: 'VMCS revision identifier',
      value: `0x${vmcs.revision.toString(16)}`,
      description:
        (vmcs.isShadow ? 'shadow VMCS; ' : '') +
        (vmcs.revision % SHADOW_INDICATOR === VMCS_REVISION ? 'as IA32_VMX_BASIC reports' : 'not the identifier of this processor'),
      memory: place(VmcsRegion.revision),
      expandable: false,
    },
    {
      id: 'vmcs/abort',
      label: 'VMX-abort indicator',
      value: `0x${abort.toString(16)}`,
      description: abort === 0 ? 'no VMX abort' : (VMX_ABORT_REASONS[abort] ?? 'unknown'),
      memory: place(VmcsRegion.abortIndicator),
      expandable: false,
    },
  ];
}

/**
 * Children of a node of the VMCS tree: 'vmcs' (the region and its groups), 'vmcs/guest', 'vmcs/guest/segments', 'vmcs/guest/GUEST_CR3' (bits).
 * Empty when there is no VMCS (`pointer` negative) or no such node. With `capabilities`, fields that this processor does not have are left out.
 */
export function vmcsChildren(memory: PhysicalMemory, pointer: number, id = 'vmcs', capabilities?: VmxCapabilities): readonly InspectNode[] {
  if (pointer < 0 || !memory.isRam(pointer, VmcsRegion.bytes)) return NO_NODES;
  const vmcs = new Vmcs(memory, pointer);
  const around = surroundings(vmcs);
  const [root, groupId, part, more] = id.split('/');
  if (root !== 'vmcs' || more !== undefined) return NO_NODES;
  if (groupId === undefined)
    return [...headerNodes(vmcs), ...FIELD_GROUPS.map((g) => ({ id: `vmcs/${g.id}`, label: g.title, expandable: true }))];
  const group = FIELD_GROUPS.find((g) => g.id === groupId);
  if (group === undefined) return NO_NODES;
  if (part === undefined) {
    return group.subgroups
      .filter(([sub]) => fieldsOf(group.id, sub, capabilities).length > 0)
      .map(([sub, title]) => ({ id: `vmcs/${group.id}/${sub}`, label: title, expandable: true }));
  }
  const field = fieldByName(part);
  if (field !== undefined) return field.group === group.id ? bitNodes(field, vmcs, around) : NO_NODES;
  return fieldsOf(group.id, part, capabilities).map((f) => fieldNode(f, vmcs, around));
}

function fieldsOf(group: FieldGroup, subgroup: string, capabilities?: VmxCapabilities): VmcsField[] {
  return VMCS_FIELDS.filter(
    (f) => f.group === group && f.subgroup === subgroup && (capabilities === undefined || capabilities.fields.has(f.encoding)),
  );
}

/** One field with its decoded value, for hovers and `evaluate`; undefined when there is no VMCS or no such field. */
export function vmcsFieldNode(memory: PhysicalMemory, pointer: number, name: string): InspectNode | undefined {
  const field = fieldByName(name.toUpperCase());
  if (field === undefined || pointer < 0 || !memory.isRam(pointer, VmcsRegion.bytes)) return undefined;
  const vmcs = new Vmcs(memory, pointer);
  return fieldNode(field, vmcs, surroundings(vmcs));
}

export { explainEntryFailure, explainExit } from './explain';
