/** Runs an exported head on images. */
import { activity, UserError, WorkError } from '../base/index.js';
import { decodeImage, type RgbImage, UnreadableImage } from '../data/index.js';
import type { Engine, Program } from '../engine/index.js';
import { type Graph, readModelFile } from '../graph/index.js';
import { exportedKeys } from './head-graph.js';

/** What an exported probe or network says of one image. */
export interface Prediction {
  readonly file: string;
  /** The most probable class. */
  readonly class: string;
  readonly probability: number;
  /** Every class with its probability, most probable first. */
  readonly ranking: readonly { readonly class: string; readonly probability: number }[];
}

/** Real values of an image. */
export interface ValuesPrediction {
  readonly file: string;
  readonly values: readonly { readonly name: string; readonly value: number }[];
}

/** Of a file that is no image. */
export interface NoPrediction {
  readonly file: string;
  readonly reason: string;
}

/** Class names of an exported file. @throws UserError when the model is none. */
export function exportedClasses(graph: Graph, path: string): string[] {
  return namesIn(graph, exportedKeys.classes, path);
}

/** Names of the values of an exported file. @throws UserError when the model is none */
export function exportedValues(graph: Graph, path: string): string[] {
  return namesIn(graph, exportedKeys.values, path);
}

/** Names that an exported file carries. */
function namesIn(graph: Graph, key: string, path: string): string[] {
  const text = graph.metadata.get(key);
  if (text === undefined) {
    throw new UserError(`${path} was not written by toehold export: it carries no class names`);
  }
  const damaged = new UserError(`${path} carries no readable class names: export it again`);
  let names: unknown;
  try {
    names = JSON.parse(text);
  } catch {
    throw damaged;
  }
  if (!Array.isArray(names) || !names.every((name) => typeof name === 'string')) throw damaged;
  return names;
}

/** The method that an exported file's head was fitted by. */
export const exportedMethod = (graph: Graph): string => graph.metadata.get(exportedKeys.method) ?? '';

/**
 * Predicts image files one by one, in order; a file that cannot be read gets its reason in place of a prediction.
 * @throws UserError when the model is no head, WorkError when its probabilities are none
 */
export async function* predictImages(
  engine: Engine,
  path: string,
  files: readonly string[],
): AsyncGenerator<Prediction | ValuesPrediction | NoPrediction> {
  activity(`opening ${path}`);
  const graph = await readModelFile(path);
  const output = graph.metadata.has(exportedKeys.values) ? 'values' : 'probabilities';
  const names = namesIn(graph, output === 'values' ? exportedKeys.values : exportedKeys.classes, path);
  const isHead = graph.inputs.some((v) => v.name === 'image') && graph.outputs.some((v) => v.name === output);
  if (!isHead) {
    throw new UserError(
      `${path} was not written by toehold export: it does not turn 'image' into '${output}'; a network of toehold train is what export and extract read`,
    );
  }
  const program = await engine.compile(graph);
  try {
    // The next image decodes while this one runs.
    let next = files[0] === undefined ? undefined : decoded(files[0]);
    for (const [i, file] of files.entries()) {
      const image = await next;
      activity(`classifying ${file}`);
      const following = files[i + 1];
      next = following === undefined ? undefined : decoded(following);
      if (!image || image instanceof UnreadableImage) yield { file, reason: image?.reason ?? 'it is not there' };
      else {
        const found = await answerOf(program, image, { file, output, count: names.length });
        yield output === 'values'
          ? { file, values: found.map((value, k) => ({ name: names[k] as string, value })) }
          : predictionOf(file, found, names);
      }
    }
  } finally {
    await program.dispose();
  }
}

function decoded(file: string): Promise<RgbImage | UnreadableImage> {
  return decodeImage(file).catch((error) => {
    if (error instanceof UnreadableImage) return error;
    throw error;
  });
}

/** What a head says of an image: values, or probabilities. @throws WorkError when it says nothing of the kind */
export async function answerOf(
  program: Program,
  image: RgbImage,
  { file, output, count }: { file: string; output: 'values' | 'probabilities'; count: number },
): Promise<number[]> {
  const results = await program.run({
    image: { type: 'uint8', dims: [image.height, image.width, 3], data: image.data },
  });
  const values = Array.from((results[output]?.data ?? []) as ArrayLike<number>, Number);
  if (values.length !== count) {
    const names = output === 'values' ? 'names' : 'classes';
    throw new WorkError(`the head gives ${values.length} ${output} for ${count} ${names}: export it again`);
  }
  if (!values.every(Number.isFinite)) {
    throw new WorkError(`the ${output} of ${file} are not numbers: the head's weights are damaged; export it again`);
  }
  return values;
}

/** Class probabilities as a prediction, most probable class first. */
export function predictionOf(file: string, probabilities: readonly number[], classes: readonly string[]): Prediction {
  const ranking = probabilities
    .map((probability, k) => ({ class: classes[k] as string, probability }))
    .sort((a, b) => b.probability - a.probability);
  const [top] = ranking as [(typeof ranking)[number]];
  return { file, class: top.class, probability: top.probability, ranking };
}
