/** A trained network as one graph from image to class probabilities, or to values, as exported probes are. */
import { UserError } from '../../base/index.js';
import { parsePreprocess, preprocessImage } from '../../data/index.js';
import type { Engine } from '../../engine/index.js';
import { loadBackbone, specialiseBackbone } from '../../features/index.js';
import { type Graph, GraphBuilder, prune, replaceInput } from '../../graph/index.js';
import { exportedClasses, exportedKeys, exportedValues } from '../../probe/index.js';
import { metadataKeys, type TrainingCard } from '../../transfer/index.js';

/** A network that toehold trained, ready to be exported. */
export interface ExportedNetwork {
  readonly graph: Graph;
  /** Names of its outputs. */
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
  const values = metadata.get(exportedKeys.values);
  const classes = values === undefined ? exportedClasses(loaded.graph, file) : exportedValues(loaded.graph, file);
  const target = metadata.get(exportedKeys.target);
  const preprocess = parsePreprocess(JSON.parse(own), `the preprocessing of ${file}`);
  const { graph: network } = await specialiseBackbone({ ...loaded, preprocess }, engine, 1);
  const whole = replaceInput(network, { name: 'image', type: 'uint8', shape: ['H', 'W', 3] }, (b, pixels) =>
    preprocessImage(b, pixels, preprocess),
  );
  const expected = values === undefined ? 'logits' : 'predictions';
  const scores = network.outputs.find(({ name }) => name === expected)?.name;
  if (scores === undefined) throw new UserError(`${file} has no output '${expected}': train it again`);
  const b = new GraphBuilder(whole, 'trained');
  b.clearOutputs();
  const exact = b.cast(scores, 'float64');
  const answers = values !== undefined ? exact : target === undefined ? b.softmax(exact, 1) : b.op('Sigmoid', [exact]);
  const said = b.op('Squeeze', [b.cast(answers, 'float32'), b.ints([0])]);
  b.output(said, values === undefined ? 'probabilities' : 'values', 'float32', [classes.length]);
  const { treatment } = JSON.parse(training) as TrainingCard;
  b.metadata(values === undefined ? exportedKeys.classes : exportedKeys.values, JSON.stringify(classes));
  if (target !== undefined) b.metadata(exportedKeys.target, target);
  b.metadata(exportedKeys.method, treatment);
  b.metadata(exportedKeys.source, `trained network, ${loaded.name}`);
  b.metadata(exportedKeys.model, loaded.sha256);
  b.metadata(exportedKeys.deepestTap, scores);
  return { graph: prune(b.build()), classes, method: treatment, sha256: loaded.sha256 };
}
