/** What this adapter tells the client it can do. What is not built stands here as false. */
import type { DebugProtocol } from '@vscode/debugprotocol';
import { EXCEPTION_FILTERS } from './breakpoints/exception-filters';
import { BREAKPOINT_MODES, DATA_MODES } from './breakpoints/modes';

export const CAPABILITIES: DebugProtocol.Capabilities = {
  supportsConfigurationDoneRequest: true,
  supportsFunctionBreakpoints: true,
  supportsConditionalBreakpoints: true,
  supportsHitConditionalBreakpoints: true,
  supportsLogPoints: true,
  supportsInstructionBreakpoints: true,
  supportsExceptionFilterOptions: true,
  exceptionBreakpointFilters: [...EXCEPTION_FILTERS],
  supportsExceptionInfoRequest: true,
  supportsEvaluateForHovers: true,
  supportsClipboardContext: true,
  supportsSetVariable: true,
  supportsSetExpression: true,
  supportsCompletionsRequest: true,
  supportsReadMemoryRequest: true,
  supportsWriteMemoryRequest: true,
  supportsDisassembleRequest: true,
  supportsSteppingGranularity: true,
  supportsSingleThreadExecutionRequests: true,
  supportsModulesRequest: true,
  supportsBreakpointLocationsRequest: true,
  supportsDelayedStackTraceLoading: true,
  supportsRestartRequest: true,
  supportsTerminateRequest: true,
  supportsCancelRequest: true,
  supportsGotoTargetsRequest: true,
  breakpointModes: [...BREAKPOINT_MODES, ...DATA_MODES],
  supportsDataBreakpoints: true,
  supportsDataBreakpointBytes: true,
  supportsStepBack: false,
  supportsRestartFrame: false,
  supportsStepInTargetsRequest: false,
};
