/** All instruction rows, in the order in which the decoder prefers them. */
import type { Row } from './row';
import { arithmeticRows } from './rows/arithmetic';
import { bitManipulationRows } from './rows/bit-manipulation';
import { controlRows } from './rows/control';
import { moveRows } from './rows/moves';
import { shiftRows } from './rows/shifts';
import { systemRows } from './rows/system';

export const instructionRows: readonly Row[] = [
  ...arithmeticRows,
  ...shiftRows,
  ...bitManipulationRows,
  ...moveRows,
  ...controlRows,
  ...systemRows,
];
