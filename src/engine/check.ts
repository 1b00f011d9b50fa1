/** What every engine checks before a run, so that a wrong feed is one clear sentence. */
import { UserError } from '../base/index.js';
import type { Tensor, ValueInfo } from '../ir/index.js';
import type { Tensors } from './engine.js';

/** @throws UserError when an input is missing, unknown, or of another type or shape than declared. */
export function checkFeeds(inputs: readonly ValueInfo[], feeds: Tensors): void {
  for (const input of inputs) {
    const tensor = feeds[input.name];
    if (!tensor) throw new UserError(`input '${input.name}' is missing`);
    if (!fits(input, tensor)) {
      const wanted = `${input.type ?? 'float32'} ${show(input.shape)}`;
      throw new UserError(`input '${input.name}' takes ${wanted}, not ${tensor.type} ${show(tensor.dims)}`);
    }
  }
  const known = inputs.map((v) => v.name);
  const unknown = Object.keys(feeds).find((name) => !known.includes(name));
  if (unknown !== undefined) throw new UserError(`there is no input '${unknown}'; the inputs are ${known.join(', ')}`);
}

/** @throws UserError when an output that is asked for does not exist. */
export function checkFetches(outputs: readonly string[], fetches: readonly string[]): void {
  const unknown = fetches.find((name) => !outputs.includes(name));
  if (unknown !== undefined) {
    throw new UserError(`there is no output '${unknown}'; the outputs are ${outputs.join(', ')}`);
  }
}

function fits({ type, shape }: ValueInfo, tensor: Tensor): boolean {
  if (type !== undefined && type !== tensor.type) return false;
  if (!shape) return true;
  return (
    shape.length === tensor.dims.length && shape.every((dim, i) => typeof dim !== 'number' || dim === tensor.dims[i])
  );
}

function show(shape: ValueInfo['shape']): string {
  return shape ? `[${shape.map((dim) => dim ?? '?').join(', ')}]` : 'of any shape';
}
