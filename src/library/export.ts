/** What was fitted or trained, as an ONNX file that any runtime opens. */
import { writeFileAtomic } from '../base/index.js';
import { writeModel } from '../graph/index.js';
import { headGraph } from '../probe/index.js';
import type { Estimator } from './fit.js';
import type { Label } from './table.js';
import { TrainedNetwork } from './trained.js';
import type { ValuedEstimator } from './valued-fit.js';

/** What export writes. */
export type Exportable<L extends Label = Label> = Estimator<L> | ValuedEstimator | TrainedNetwork;

/**
 * Of a probe: from the bytes of an image's pixels (uint8, height x width x 3, any size) to class probabilities, with
 * preprocessing, the backbone up to the deepest tap that is read, pooling, and the selected features inside; `toehold predict`
 * runs it. Of a trained network: from preprocessed float images to logits, with `NAME.preprocess.json` beside it.
 *
 * Both carry class names in their metadata (`toehold.classes`).
 * @param file where to write it; nowhere, if absent
 * @returns the bytes of the file
 * @throws UserError for a probe on plain arrays, or one that is not linear
 */
export async function exportModel<L extends Label>(fitted: Exportable<L>, file?: string): Promise<Uint8Array> {
  if (fitted instanceof TrainedNetwork) {
    const bytes = writeModel(fitted.model);
    if (file !== undefined) {
      await writeFileAtomic(file, bytes);
      const sidecar = `${file.replace(/\.onnx$/i, '')}.preprocess.json`;
      await writeFileAtomic(sidecar, `${JSON.stringify(fitted.preprocess, null, 2)}\n`);
    }
    return bytes;
  }
  const { engine, request } = await fitted.deployable();
  const { graph } = await headGraph(engine, request);
  const bytes = writeModel(graph);
  if (file !== undefined) await writeFileAtomic(file, bytes);
  return bytes;
}
