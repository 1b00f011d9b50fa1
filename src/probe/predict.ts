/** Runs an exported head on images. */
import { UserError } from '../base/index.js';
import { decodeImage } from '../data/index.js';
import type { Engine } from '../engine/index.js';
import { type Graph, readModelFile } from '../graph/index.js';

export interface Prediction {
  readonly file: string;
  /** The most probable class. */
  readonly class: string;
  readonly probability: number;
  /** Every class with its probability, most probable first. */
  readonly ranking: readonly { readonly class: string; readonly probability: number }[];
}

/** Class names of an exported file. @throws UserError when the model is none. */
export function exportedClasses(graph: Graph, path: string): string[] {
  const text = graph.metadata.get('toehold.classes');
  if (text === undefined) {
    throw new UserError(`${path} was not written by toehold export: it carries no class names`);
  }
  return JSON.parse(text) as string[];
}

/** Predicts image files one by one, in order. @throws UserError for files that are no images */
export async function* predictImages(
  engine: Engine,
  path: string,
  files: readonly string[],
): AsyncGenerator<Prediction> {
  const graph = await readModelFile(path);
  const classes = exportedClasses(graph, path);
  const program = await engine.compile(graph);
  try {
    // The next image decodes while this one runs.
    let next = files[0] === undefined ? undefined : decodeImage(files[0]);
    for (const [i, file] of files.entries()) {
      const image = (await next) as Awaited<ReturnType<typeof decodeImage>>;
      const following = files[i + 1];
      next = following === undefined ? undefined : decodeImage(following);
      next?.catch(() => undefined);
      const { probabilities } = await program.run({
        image: { type: 'uint8', dims: [image.height, image.width, 3], data: image.data },
      });
      const ranking = Array.from(probabilities?.data as Float32Array, (probability, k) => ({
        class: classes[k] as string,
        probability,
      })).sort((a, b) => b.probability - a.probability);
      const [top] = ranking as [(typeof ranking)[number]];
      yield { file, class: top.class, probability: top.probability, ranking };
    }
  } finally {
    await program.dispose();
  }
}
