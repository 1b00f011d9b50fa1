/** The operators that this engine runs. To add one: its line in the table of its family. */
import { convolution } from './convolution.js';
import { elementwise } from './elementwise.js';
import { indexing } from './indexing.js';
import { normalisation } from './normalisation.js';
import type { OpTable } from './op.js';
import { pooling } from './pooling.js';
import { products } from './products.js';
import { reduction } from './reduction.js';
import { resizing } from './resize.js';
import { shape } from './shape.js';

export const operators: OpTable = {
  ...elementwise,
  ...shape,
  ...reduction,
  ...products,
  ...convolution,
  ...pooling,
  ...normalisation,
  ...indexing,
  ...resizing,
};
