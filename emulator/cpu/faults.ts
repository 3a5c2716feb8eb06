/**
 * What becomes of a pending exception (SDM volume 3, "Interrupt 8—Double Fault Exception (#DF)"; volume 3 VMX chapters, "Exceptions",
 * "Information for VM Exits During Event Delivery"): VM exit, delivery, double fault, triple fault.
 */
import { Activity, CONTRIBUTORY_VECTORS, Dr6, DR6_FIXED, EventType, PAGE_FAULT_CLASS_VECTORS, Vector } from '../spec/registers';
import { State } from '../spec/vcpu-state';
import type { InterceptEvent } from '../spec/vmx-events';
import type { Cpu } from './cpu';
import { clearVectoring, deliverEvent } from './delivery';
import { Outcome } from './outcome';
import type { CpuPorts } from './ports';

export type ExceptionResult =
  /** RIP is the handler's first instruction. */
  | 'delivered'
  /** A VM exit was committed. */
  | 'exited'
  /** Outside VMX non-root operation: the CPU is in the shutdown state. */
  | 'triple-fault'
  | 'stopped'
  /** A failed access of the delivery left a VM exit pending: `ports.vmx.commitPendingExit`. */
  | 'pending VM exit';

const PENDING_NONE = 0;
const PENDING_EXIT = 2;

/** Leaves a #DB pending with its DR6 condition bits (Dr6.BS for a single-step trap); returns Outcome.pending. */
export function raiseDebug(cpu: Cpu, conditions: number): 2 {
  cpu.set64(State.pendingQualification, BigInt(conditions));
  return cpu.raise(Vector.DB);
}

/** A debug trap that is due before the next instruction: single-stepping (BS), or a task switch to a task whose T flag is set (BT). */
/** State.pendingReason of a #DB that is a fault: an instruction breakpoint. */
const DEBUG_FAULT = 0xdb;
/** An instruction breakpoint: the #DB is a fault, its RFLAGS image has RF set. */
export function deliverInstructionBreakpoint(cpu: Cpu, ports: CpuPorts, conditions: number): ExceptionResult {
  raiseDebug(cpu, conditions);
  cpu.set32(State.pendingReason, DEBUG_FAULT);
  return handlePendingException(cpu, ports);
}

export function deliverDebugTrap(cpu: Cpu, ports: CpuPorts, conditions: number): ExceptionResult {
  raiseDebug(cpu, conditions);
  return handlePendingException(cpu, ports);
}

type DoubleFaultClass = 'benign' | 'contributory' | 'page-fault' | 'double-fault';
function classOf(vector: number, type: number): DoubleFaultClass {
  if (type !== EventType.hardwareException) return 'benign';
  if (vector === Vector.DF) return 'double-fault';
  if (CONTRIBUTORY_VECTORS.includes(vector)) return 'contributory';
  return PAGE_FAULT_CLASS_VECTORS.includes(vector) ? 'page-fault' : 'benign';
}

/** The table "Conditions for Generating a Double Fault": what a second exception makes of the event being delivered. */
function combine(first: DoubleFaultClass, second: DoubleFaultClass): 'serial' | 'double-fault' | 'shutdown' {
  if (second === 'benign' || first === 'benign') return 'serial';
  if (first === 'double-fault') return 'shutdown';
  if (first === 'contributory') return second === 'contributory' ? 'double-fault' : 'serial';
  return 'double-fault';
}

function tripleFault(cpu: Cpu, ports: CpuPorts): ExceptionResult {
  // A VM exit caused by a triple fault is not reported as one during event delivery.
  clearVectoring(cpu);
  if (cpu.vmxNonRoot && ports.vmx.intercept(cpu, { kind: 'triple-fault' })) return 'exited';
  cpu.set32(State.activity, Activity.shutdown);
  return 'triple-fault';
}

/**
 * Takes the exception in `cpu.pending*` to its end: tells the observer, asks VMX, delivers it, and repeats with what the delivery raises.
 * When `State.vectoringInfo` is valid the exception arose while that event was being delivered.
 */
export function handlePendingException(cpu: Cpu, ports: CpuPorts): ExceptionResult {
  for (;;) {
    if (cpu.get32(State.pendingKind) === PENDING_EXIT) return 'pending VM exit';
    const vector = cpu.get32(State.pendingVector);
    const pendingError = cpu.i32[State.pendingErrorCode >> 2];
    const errorCode = pendingError === -1 ? undefined : pendingError;
    const qualification =
      vector === Vector.PF ? cpu.get64(State.pendingLinear) : vector === Vector.DB ? cpu.get64(State.pendingQualification) : 0n;
    ports.observer.exception(cpu, vector, errorCode);
    const outcome = takeException(cpu, ports, vector, errorCode, qualification);
    if (outcome !== Outcome.pending) return outcome;
  }
}

function takeException(
  cpu: Cpu,
  ports: CpuPorts,
  vector: number,
  errorCode: number | undefined,
  qualification: bigint,
): ExceptionResult | typeof Outcome.pending {
  // The second exception meets the exception bitmap before it is combined into a double fault.
  const debugFault = vector === Vector.DB && ((qualification & BigInt(Dr6.BD)) !== 0n || cpu.get32(State.pendingReason) === DEBUG_FAULT);
  if (exits(cpu, ports, { vector, errorCode, qualification, ...(debugFault && { debugFault }) })) return 'exited';
  if (vector === Vector.PF) cpu.set64(State.cr2, qualification);
  if (vector === Vector.DB) recordDebugConditions(cpu, qualification);
  const info = cpu.get32(State.vectoringInfo);
  const combined = info >>> 31 ? combine(classOf(info & 0xff, (info >>> 8) & 7), classOf(vector, EventType.hardwareException)) : 'serial';
  if (combined === 'shutdown') return tripleFault(cpu, ports);
  let delivered = { vector, errorCode };
  if (combined === 'double-fault') {
    // "The original event results in a double-fault exception that causes the VM exit directly": no IDT-vectoring information.
    clearVectoring(cpu);
    delivered = { vector: Vector.DF, errorCode: 0 };
    ports.observer.exception(cpu, Vector.DF, 0);
    if (exits(cpu, ports, { vector: Vector.DF, errorCode: 0, qualification: 0n })) return 'exited';
  }
  cpu.set32(State.pendingKind, PENDING_NONE);
  cpu.set64(State.pendingQualification, 0n);
  const outcome = deliverEvent(cpu, ports, { ...delivered, type: EventType.hardwareException, debugFault });
  if (outcome === Outcome.jumped) return 'delivered';
  if (outcome === Outcome.exited) return 'exited';
  return outcome === Outcome.pending ? Outcome.pending : 'stopped';
}

/** Asks VMX for an exit due to a hardware exception; on an exit nothing stays pending. */
function exits(
  cpu: Cpu,
  ports: CpuPorts,
  raised: Pick<Extract<InterceptEvent, { readonly kind: 'exception' }>, 'vector' | 'errorCode' | 'qualification' | 'debugFault'>,
): boolean {
  if (!cpu.vmxNonRoot) return false;
  if (!ports.vmx.intercept(cpu, { kind: 'exception', ...raised, type: EventType.hardwareException, length: 0 })) return false;
  cpu.set32(State.pendingKind, PENDING_NONE);
  cpu.set64(State.pendingQualification, 0n);
  clearVectoring(cpu);
  return true;
}

/** DR6 as a #DB leaves it: the conditions are added (B0..B3 replaced), the fixed bits stay ("Debug Status Register (DR6)"). */
function recordDebugConditions(cpu: Cpu, conditions: bigint): void {
  const slot = State.dr + 48;
  const kept = cpu.get64(slot) & ~0xfn;
  cpu.set64(slot, kept | conditions | DR6_FIXED);
}
