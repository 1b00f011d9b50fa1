/** A model that does not run on a shape: what differs from what it declares, and what to do about that. */
import { UserError } from '../base/index.js';
import type { Refusal } from '../engine/index.js';
import type { ValueInfo } from '../graph/index.js';

/** @param declared of the model's image input, e.g. ['N', 3, 224, 224] */
export function refusedShape(
  refusal: Refusal,
  declared: ValueInfo['shape'],
  shape: readonly number[],
  path: string,
): UserError {
  const said = declared ? ` (it declares [${declared.map((d) => d ?? '?').join(', ')}])` : '';
  const advice = adviceOn(declared ?? shape.map(() => null), shape);
  return new UserError(`${path} does not run on input [${shape.join(', ')}]${said}: ${refusal.message}; ${advice}`);
}

function adviceOn(declared: NonNullable<ValueInfo['shape']>, shape: readonly number[]): string {
  const differs = (i: number) => typeof declared[i] === 'number' && declared[i] !== shape[i];
  if (differs(0)) return 'export it with a free batch (dynamic_axes, or dynamic_shapes with dynamo=True)';
  if (shape.some((_, i) => differs(i))) return 'give the --size that it declares';
  const isOpen = declared.slice(1).some((d) => typeof d !== 'number');
  return isOpen ? 'it leaves the size of its images open: give the --size that it was made for' : 'check the file';
}
