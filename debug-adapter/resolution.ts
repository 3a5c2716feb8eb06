/** How an address was resolved, told in words and as a tree: every level of both stages. */
import type { Resolution, ResolutionStep } from '../emulator/api';
import { hex } from './memory-reference';
import type { ResolvedStep, ResolveResult } from './protocol';

/** EPT PML4[0] */
export function stepName(step: ResolutionStep): string {
  return `${step.table}[${step.index}]`;
}

/** 0x…, rwx, at GPA 0x… (HPA 0x…): stops: not present */
export function stepInWords(step: ResolutionStep): string {
  const where = step.stage === 'ept' ? `HPA ${hex(step.entryAddress)}` : `GPA ${hex(step.entryAddress)}`;
  const host =
    step.stage === 'guest' && step.entryHpa !== undefined && step.entryHpa !== step.entryAddress ? ` (HPA ${hex(step.entryHpa)})` : '';
  const large = step.largePage ? ', maps a page' : '';
  return `${hex(step.entry)}, ${step.permissions || 'no access'}${large}, at ${where}${host}${step.stops === undefined ? '' : `; stops here: ${step.stops}`}`;
}

export function resolutionOnWire(resolution: Resolution): ResolveResult {
  const { input, gva, gpa, hpa, steps, permissions, memoryType, pageBytes, failure, summary } = resolution;
  const optional = (value: bigint | undefined): string | undefined => (value === undefined ? undefined : hex(value));
  return {
    space: input.space,
    level: input.level,
    address: hex(input.address),
    gva: optional(gva),
    gpa: optional(gpa),
    hpa: optional(hpa),
    steps: steps.map(stepOnWire),
    permissions,
    memoryType,
    pageBytes,
    failure,
    summary,
  };
}

function stepOnWire(step: ResolutionStep): ResolvedStep {
  return {
    ...step,
    entryAddress: hex(step.entryAddress),
    entryHpa: step.entryHpa === undefined ? undefined : hex(step.entryHpa),
    entry: hex(step.entry),
  };
}
