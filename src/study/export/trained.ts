/** A trained network as one graph from image to class probabilities, as exported probes are. */
import { UserError } from '../../base/index.js';
import { parsePreprocess, preprocessImage } from '../../data/index.js';
import type { Engine } from '../../engine/index.js';
import { loadBackbone, specialiseBackbone } from '../../features/index.js';
import { type Graph, GraphBuilder, prune, replaceInput } from '../../graph/index.js';
import { exportedClasses, exportedKeys } from '../../probe/index.js';
import { metadataKeys, type TrainingCard } from '../../transfer/index.js';

/** A network that toehold trained, ready to be exported. */
export interface ExportedNetwork {
  readonly graph: Graph;
  readonly classes: readonly string[];
  /** What was done with it: the treatment. */
  readonly method: string;
  readonly sha256: string;
}

/**
 * @param file what training wrote
 * @throws UserError when the file says nothing of its classes or of how it wants its pixels
 */
export async function trainedNetwork(engine: Engine, file: string): Promise<ExportedNetwork> {
  const loaded = await loadBackbone(file, engine);
  const { metadata } = loaded.graph;
  const own = metadata.get(metadataKeys.preprocess);
  const training = metadata.get(metadataKeys.training);
  if (own === undefined || training === undefined) {
    throw new UserError(`${file} was not trained by toehold: it does not say how it reads images`);
  }
  const classes = exportedClasses(loaded.graph, file);
  const preprocess = parsePreprocess(JSON.parse(own), `the preprocessing of ${file}`);
  const { graph: network } = await specialiseBackbone({ ...loaded, preprocess }, engine, 1);
  const whole = replaceInput(network, { name: 'image', type: 'uint8', shape: ['H', 'W', 3] }, (b, pixels) =>
    preprocessImage(b, pixels, preprocess),
  );
  const logits = network.outputs.find(({ name }) => name === 'logits')?.name;
  if (logits === undefined) throw new UserError(`${file} has no output 'logits': train it again`);
  const b = new GraphBuilder(whole, 'trained');
  b.clearOutputs();
  const probabilities = b.softmax(b.cast(logits, 'float64'), 1);
  b.output(b.op('Squeeze', [b.cast(probabilities, 'float32'), b.ints([0])]), 'probabilities', 'float32', [
    classes.length,
  ]);
  const { treatment } = JSON.parse(training) as TrainingCard;
  b.metadata(exportedKeys.classes, JSON.stringify(classes));
  b.metadata(exportedKeys.method, treatment);
  b.metadata(exportedKeys.source, `trained network, ${loaded.name}`);
  b.metadata(exportedKeys.model, loaded.sha256);
  b.metadata(exportedKeys.deepestTap, logits);
  return { graph: prune(b.build()), classes, method: treatment, sha256: loaded.sha256 };
}
