/** Models of TensorFlow.js as graphs: model.json, of layers (Keras) or of operations (TensorFlow), with its weights. */
import { UserError } from '../../base/index.js';
import type { Graph } from '../../ir/index.js';
import { importGraph } from './graph-model.js';
import { importLayers } from './layers-model.js';
import { entry, isList, readTopology, readWeights } from './weights.js';

export { tfjsFiles } from './weights.js';

/**
 * Reads model.json and the files of weights beside it.
 * @throws UserError when a file is missing or damaged, or holds a layer or operation that toehold does not know
 */
export async function readTfjs(path: string): Promise<Graph> {
  const model = await readTopology(path);
  const topology = entry(model, 'modelTopology');
  if (topology === undefined) throw new UserError(`${path} is no model of TensorFlow.js: it has no modelTopology`);
  const weights = await readWeights(model, path);
  return isList(entry(topology, 'node'))
    ? importGraph(topology, weights, model, path)
    : importLayers(topology, weights, path);
}
