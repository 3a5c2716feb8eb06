/** One vCPU at a stop, as debuggers see it: registers by name, and the other level's state out of the current VMCS. */
import type { CpuView, Level, VmEntryRecord, VmExitRecord } from '../api';
import type { Cpu } from '../cpu/cpu';
import type { PhysicalMemory } from '../memory/physical-memory';
import { Mode, State } from '../spec/vcpu-state';
import { Field } from '../spec/vmcs-fields';
import { LaunchState } from '../vmx/vmcs';
import { readRegister, registerNames, writeRegister } from './registers';
import { currentVmcs, levelOf } from './translation-context';

/** What the view needs of the machine's trace. */
export interface LastEvents {
  lastEntry(vcpu: number): VmEntryRecord | undefined;
  lastExit(vcpu: number): VmExitRecord | undefined;
}

const CS_L = 0x2000;
const CS_D = 0x4000;

export function createCpuView(cpu: Cpu, memory: PhysicalMemory, events: LastEvents): CpuView {
  return {
    get level() {
      return levelOf(cpu);
    },
    get steps() {
      return cpu.getF64(State.steps);
    },
    get inVmx() {
      return cpu.get32(State.vmxMode) !== 0;
    },
    get rip() {
      return cpu.rip;
    },
    get codeBits() {
      const mode = cpu.get32(State.mode);
      return mode & Mode.code64 ? 64 : mode & Mode.code32 ? 32 : 16;
    },
    get cpl() {
      return cpu.cpl;
    },
    get halted() {
      return cpu.get32(State.activity) === 1;
    },
    get activity() {
      if (cpu.get32(State.monitorWait) !== 0) return 'MWAIT';
      return (['active', 'HLT', 'shutdown', 'wait-for-SIPI'] as const)[cpu.get32(State.activity) & 3];
    },
    register: (name) => readRegister(cpu, name),
    setRegister: (name, value) => writeRegister(cpu, name, value),
    registerNames,
    other: () => otherLevel(cpu, memory),
    get lastEntry() {
      return events.lastEntry(cpu.index);
    },
    get exitJustCommitted() {
      const last = events.lastExit(cpu.index);
      // Nothing of this vCPU has run since: with several of them the others may have.
      return last !== undefined && !cpu.vmxNonRoot && last.vcpuSteps === cpu.getF64(State.steps) ? last : undefined;
    },
  };
}

function otherLevel(cpu: Cpu, memory: PhysicalMemory): ReturnType<CpuView['other']> {
  const vmcs = currentVmcs(cpu, memory);
  if (vmcs === undefined) return undefined;
  const launched = vmcs.launchState === LaunchState.launched;
  const level: Level = levelOf(cpu) === 1 ? 2 : 1;
  if (level === 1) {
    const long = (vmcs.u32(Field.primaryVmExitControls) & 0x200) !== 0;
    return {
      level,
      rip: vmcs.u64(Field.hostRip),
      rsp: vmcs.u64(Field.hostRsp),
      codeBits: long ? 64 : 32,
      cr3: vmcs.u64(Field.hostCr3),
      launched,
    };
  }
  const access = vmcs.u32(Field.guestCsAccessRights);
  const long = (vmcs.u32(Field.vmEntryControls) & 0x200) !== 0;
  const codeBits = long && access & CS_L ? 64 : access & CS_D ? 32 : 16;
  return { level, rip: vmcs.u64(Field.guestRip), rsp: vmcs.u64(Field.guestRsp), codeBits, cr3: vmcs.u64(Field.guestCr3), launched };
}
