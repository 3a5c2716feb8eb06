/** Versioned plain state of one device: what `save()` gives and `restore()` takes. */
import { UserError } from '../user-error';

export interface DeviceState {
  readonly version: number;
}

/** Checks that a saved state is of the version that this build writes; `what` names the device. */
export function expectVersion<State extends DeviceState>(saved: unknown, version: State['version'], what: string): State {
  const found = (saved as DeviceState | undefined)?.version;
  if (found !== version)
    throw new UserError(
      `The snapshot was made by another version of Nestscope: its ${what} state has version ${String(found)}, expected ${version}.`,
      'snapshot-version',
    );
  return saved as State;
}
