/** A network as its file has it -> the form that all passes know. */
import type { Engine } from '../engine/index.js';
import type { Graph } from '../ir/index.js';
import { type DequantizeOptions, dequantize } from './dequantize.js';
import { floatInput, takesLevels } from './float-input.js';
import { toFloat32 } from './float32.js';
import { freeBatch } from './free-batch.js';
import { inferenceForm } from './inference-form.js';
import { joinHeads } from './join-heads.js';
import { ownConstants } from './own-constants.js';
import { tieCopies } from './tie-copies.js';
import { upgrade } from './upgrade.js';

/** What was changed that a user should know of: norms and dropout taken out of training mode; pixels taken as levels 0 to 255. */
export type NetworkFact = 'training mode' | 'levels';

/** How a network file is read. */
export interface ReadOptions extends Partial<DequantizeOptions> {
  /** Called with what a user should know of the file. */
  onFact?: (fact: NetworkFact) => void;
}

/**
 * The operators of the current set, in float32, in inference mode, with a float image; weights dequantised, a layer's
 * constants its own, copies of one parameter tied, stacked heads joined, the batch free. To be trained a network also wants `activations: 'drop'`,
 * since the rounding of quantised activations has no gradient.
 * @throws UserError when it holds what no pass knows
 */
export async function normalForm(
  asRead: Graph,
  engine: Engine,
  { onFact = () => undefined, ...options }: ReadOptions = {},
): Promise<Graph> {
  const file = upgrade(asRead);
  const [image] = file.inputs;
  const inference = inferenceForm(file);
  if (inference) onFact('training mode');
  if (takesLevels(image?.type)) onFact('levels');
  const single = toFloat32(inference ?? file, { double: image?.type === 'float64' });
  const graph = dequantize(floatInput(single), options);
  return freeBatch(tieCopies(ownConstants(joinHeads(graph))), engine);
}
