/** Exported heads: image in, class probabilities out. */
import { UserError } from '../base/index.js';
import type { Engine } from '../engine/index.js';
import { createOnnxRuntimeWeb, type WebEngineOptions } from '../engine/onnxruntime-web/index.js';
import { readModel } from '../graph/index.js';
import { answerOf, exportedClasses, exportedMethod, type Prediction, predictionOf } from '../probe/index.js';
import { type ModelSource, modelBytes, sourceName } from './bytes.js';
import { type ImageSource, rgbOf } from './image.js';

/** The most probable class of an image, and the others in order. */
export type HeadPrediction = Omit<Prediction, 'file'>;

/** An exported probe opened in a page: image in, class probabilities out. */
export interface Head {
  readonly classes: readonly string[];
  readonly method: string;
  /** 'webgpu' or 'wasm'. */
  readonly device: string;
  /** Class probabilities, temperature-scaled: those of `toehold predict` on the same pixels. */
  predict(image: ImageSource): Promise<HeadPrediction>;
  /** Frees the memory of the network; nothing can be predicted afterwards. */
  dispose(): Promise<void>;
}

/**
 * Opens what `toehold export` wrote.
 * @throws UserError when it is another model
 */
export async function openHead(source: ModelSource, options: WebEngineOptions = {}): Promise<Head> {
  const name = sourceName(source);
  const graph = readModel(await modelBytes(source), { path: name });
  const classes = exportedClasses(graph, name);
  if (!graph.inputs.some((v) => v.name === 'image') || !graph.outputs.some((v) => v.name === 'probabilities')) {
    throw new UserError(`${name} does not turn 'image' into 'probabilities': give a file that toehold export wrote`);
  }
  const engine: Engine = await createOnnxRuntimeWeb(options);
  const program = await engine.compile(graph);
  return {
    classes,
    method: exportedMethod(graph),
    device: engine.device,
    async predict(image) {
      const wanted = { file: 'the image', output: 'probabilities', count: classes.length } as const;
      const probabilities = await answerOf(program, await rgbOf(image), wanted);
      const { file: _, ...prediction } = predictionOf('', probabilities, classes);
      return prediction;
    },
    dispose: () => program.dispose(),
  };
}
