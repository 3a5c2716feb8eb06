/** The only door of the emulator: create a machine, run it in slices, look inside. Everything behind it is private to emulator/. */
export * from './api';
export { createMachine } from './machine';
export { MAX_VCPUS } from './spec/vcpu-state';
export { UserError } from './user-error';
export { EXCEPTIONS, exceptionRow } from './spec/exceptions';
export { EXIT_REASONS } from './spec/exit-reasons';
export { VMCS_FIELDS, fieldByEncoding, fieldByName } from './spec/vmcs-fields';
export { explainEntryFailure, explainExit } from './inspect/vmcs';
