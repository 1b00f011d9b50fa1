/** Runs an exported head on images. */
import { activity, UserError, WorkError } from '../base/index.js';
import { decodeImage, type RgbImage, UnreadableImage } from '../data/index.js';
import type { Engine, Program } from '../engine/index.js';
import { type Graph, readModelFile } from '../graph/index.js';
import { exportedKeys } from './export.js';

export interface Prediction {
  readonly file: string;
  /** The most probable class. */
  readonly class: string;
  readonly probability: number;
  /** Every class with its probability, most probable first. */
  readonly ranking: readonly { readonly class: string; readonly probability: number }[];
}

/** Of a file that is no image. */
export interface NoPrediction {
  readonly file: string;
  readonly reason: string;
}

/** Class names of an exported file. @throws UserError when the model is none. */
export function exportedClasses(graph: Graph, path: string): string[] {
  const text = graph.metadata.get(exportedKeys.classes);
  if (text === undefined) {
    throw new UserError(`${path} was not written by toehold export: it carries no class names`);
  }
  const damaged = new UserError(`${path} carries no readable class names: export it again`);
  let classes: unknown;
  try {
    classes = JSON.parse(text);
  } catch {
    throw damaged;
  }
  if (!Array.isArray(classes) || !classes.every((name) => typeof name === 'string')) throw damaged;
  return classes;
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
): AsyncGenerator<Prediction | NoPrediction> {
  activity(`opening ${path}`);
  const graph = await readModelFile(path);
  const classes = exportedClasses(graph, path);
  const isHead = graph.inputs.some((v) => v.name === 'image') && graph.outputs.some((v) => v.name === 'probabilities');
  if (!isHead) {
    throw new UserError(
      `${path} was not written by toehold export: it does not turn 'image' into 'probabilities'; a network of toehold train is what export and extract read`,
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
      else yield predictionOf(file, await probabilitiesOf(program, image, classes.length, file), classes);
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

/** @throws WorkError when the head gives no probabilities */
export async function probabilitiesOf(
  program: Program,
  image: RgbImage,
  classes: number,
  file: string,
): Promise<number[]> {
  const { probabilities } = await program.run({
    image: { type: 'uint8', dims: [image.height, image.width, 3], data: image.data },
  });
  const values = Array.from((probabilities?.data ?? []) as ArrayLike<number>, Number);
  if (values.length !== classes) {
    throw new WorkError(`the head gives ${values.length} probabilities for ${classes} classes: export it again`);
  }
  if (!values.every(Number.isFinite)) {
    throw new WorkError(
      `the probabilities of ${file} are not numbers: the head's weights are damaged; export it again`,
    );
  }
  return values;
}

export function predictionOf(file: string, probabilities: readonly number[], classes: readonly string[]): Prediction {
  const ranking = probabilities
    .map((probability, k) => ({ class: classes[k] as string, probability }))
    .sort((a, b) => b.probability - a.probability);
  const [top] = ranking as [(typeof ranking)[number]];
  return { file, class: top.class, probability: top.probability, ranking };
}
