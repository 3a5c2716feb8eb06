/** VM exits that L1 is to see, made from what L0 knows. */
import type { ExitInformation, Reflection } from '../vcpu-state';

/** A reflection whose other information is not valid. */
export const reflection = (parts: Partial<Reflection> & { readonly reason: number }): Reflection => ({
  entryFailed: false,
  qualification: 0n,
  length: 0,
  information: 0,
  interruption: 0,
  interruptionError: 0,
  vectoring: 0,
  vectoringError: 0,
  gpa: 0,
  linear: 0n,
  ...parts,
});
/** The exit as hardware told it. */
export const reflectionOf = (exit: ExitInformation): Reflection => reflection({ ...exit });
