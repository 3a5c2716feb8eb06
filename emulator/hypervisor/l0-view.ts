/** What the built-in hypervisor knows and did, for views and tests (the emulator's door). Looking changes nothing but `movePage`, which a user asks for. */
import type { L0View } from '../api';
import type { Hypervisor } from './hypervisor';

export function createL0View(l0: Hypervisor): L0View {
  return {
    count: (name) => l0.ledger.count(name),
    sum: (prefix) => l0.ledger.sum(prefix),
    get cycles() {
      return l0.ledger.cycles;
    },
    explainVmcs: () => l0.explain(),
    derivedLeaves: () => l0.derivedLeaves(),
    frames: () => l0.frameList(),
    movePage: (gpa, poison) => l0.movePage(gpa, poison),
  };
}
