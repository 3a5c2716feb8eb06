/**
 * The events that VMX non-root operation may turn into VM exits, as plain data (SDM "Instructions That Cause VM Exits", "Other Causes of
 * VM Exits"). One pure function, `intercepts(controls, event)`, decides; hardware and the nested hypervisor use the same one.
 */
export type InterceptEvent =
  | {
      readonly kind: 'instruction';
      readonly name: InterceptedInstruction;
      readonly length: number;
      /** INVPCID: displacement; MWAIT: 1 when the monitor is armed. */
      readonly qualification?: bigint;
      /** RDRAND, RDSEED, INVPCID: the instruction-information field. */
      readonly information?: number;
      /** PAUSE: it goes on with a loop for longer than PLE_WINDOW ("PAUSE" in "Instructions That Cause VM Exits Conditionally"). */
      readonly loop?: boolean;
    }
  | { readonly kind: 'io'; readonly port: number; readonly size: 1 | 2 | 4; readonly in: boolean; readonly string: boolean; readonly rep: boolean; readonly immediate: boolean; readonly length: number;
      /** INS/OUTS: linear address, segment and address size for the exit information. */
      readonly linear?: bigint; readonly segment?: number; readonly addressSize?: 2 | 4 | 8 } // prettier-ignore
  | { readonly kind: 'rdmsr' | 'wrmsr'; readonly index: number; readonly length: number; readonly value?: bigint }
  | { readonly kind: 'cr'; readonly cr: 0 | 3 | 4 | 8; readonly access: 'mov-to' | 'mov-from' | 'clts' | 'lmsw'; readonly register: number; readonly value: bigint; readonly length: number;
      /** LMSW with a memory operand. */
      readonly linear?: bigint } // prettier-ignore
  | { readonly kind: 'dr'; readonly dr: number; readonly toDr: boolean; readonly register: number; readonly length: number }
  | { readonly kind: 'invlpg'; readonly linear: bigint; readonly length: number }
  | {
      readonly kind: 'descriptor-table';
      readonly name: 'SGDT' | 'SIDT' | 'LGDT' | 'LIDT' | 'SLDT' | 'STR' | 'LLDT' | 'LTR';
      readonly length: number;
      readonly information: number;
      readonly displacement: bigint;
    }
  | { readonly kind: 'vmx'; readonly name: string; readonly length: number; readonly qualification: bigint; readonly information: number }
  | {
      readonly kind: 'exception';
      readonly vector: number;
      readonly errorCode?: number;
      readonly type: 3 | 5 | 6;
      readonly length: number;
      /** #PF: CR2 value; #DB: DR6-style bits */ readonly qualification: bigint;
      /** #DB: a fault (instruction breakpoint, general detect). */ readonly debugFault?: boolean;
    }
  | { readonly kind: 'nmi' }
  | { readonly kind: 'init' }
  | { readonly kind: 'start-up'; readonly vector: number }
  | { readonly kind: 'external-interrupt'; readonly vector: number }
  | { readonly kind: 'triple-fault' }
  | { readonly kind: 'task-switch'; readonly selector: number; readonly source: 0 | 1 | 2 | 3; readonly length: number }
  | {
      readonly kind: 'ept-violation' | 'ept-misconfiguration' | 'pml-full';
      readonly qualification: bigint;
      readonly gpa: number;
      readonly linear: bigint | undefined;
    }
  | { readonly kind: 'vmfunc'; readonly length: number }
  | { readonly kind: 'apic-access'; readonly offset: number; readonly type: number; readonly linear: bigint | undefined }
  /** A trap-like VM exit that follows APIC virtualization: TPR below threshold, virtualized EOI, APIC write. */
  | { readonly kind: 'apic'; readonly reason: number; readonly qualification: number }
  | { readonly kind: 'mtf' | 'interrupt-window' | 'nmi-window' | 'preemption-timer' };

/** Instructions whose exit needs no operand. */
export type InterceptedInstruction =
  | 'CPUID' | 'HLT' | 'INVD' | 'RDTSC' | 'RDTSCP' | 'RDPMC' | 'PAUSE' | 'MWAIT' | 'MONITOR' | 'WBINVD' | 'XSETBV' | 'RSM' | 'GETSEC' | 'RDRAND' | 'RDSEED' | 'INVPCID' | 'XSAVES' | 'XRSTORS' | 'VMCALL' | 'VMLAUNCH' | 'VMRESUME' | 'VMXOFF'; // prettier-ignore
