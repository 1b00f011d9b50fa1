/** What a probe selected, as Head2Toe-FT takes it over: indices into each tap's pooled features, and the head on them. */
import * as z from 'zod';
import { readJson, WorkError } from '../../base/index.js';
import type { Fit, ProbeTask } from '../../probe/index.js';
import { foldNormalisation } from '../../solver/index.js';

/** Where a unit of a selecting probe leaves it. */
export const selectionFile = 'selection.json';

const SelectedFeatures = z.object({
  taps: z.array(z.object({ tap: z.string(), indices: z.array(z.int()) })),
  /** float32 values, base64: weight (classes, features in the order of `taps`) and bias (classes). */
  head: z.object({ weight: z.string(), bias: z.string() }),
});
export type SelectedFeatures = z.infer<typeof SelectedFeatures>;

export function selectionJson({ train, taps: all }: ProbeTask, { model }: Fit): string {
  if (!model) throw new WorkError('the probe kept no model');
  const taps = all.map(({ alias }) => ({ tap: alias, indices: [] as number[] }));
  for (const feature of model.indices) {
    const { block, index } = train.matrix.locate(feature);
    taps[block]?.indices.push(index);
  }
  const { weights, intercept } = foldNormalisation(model);
  const [K, width] = [model.classes, model.indices.length];
  const weight = new Float32Array(K * width);
  for (let j = 0; j < width; j++) {
    for (let k = 0; k < K; k++) weight[k * width + j] = weights[j * K + k] as number;
  }
  const selected: SelectedFeatures = {
    taps: taps.filter((t) => t.indices.length > 0),
    head: { weight: toBase64(weight), bias: toBase64(Float32Array.from(intercept)) },
  };
  return `${JSON.stringify(selected)}\n`;
}

export async function readSelection(path: string): Promise<SelectedFeatures> {
  const parsed = SelectedFeatures.safeParse(await readJson(path));
  if (!parsed.success) throw new WorkError(`${path} is missing or damaged: delete its folder and run again`);
  return parsed.data;
}

const toBase64 = (values: Float32Array): string => Buffer.from(values.buffer, 0, values.byteLength).toString('base64');

/** The head of a selection, as the trainer takes it. */
export function headOf({ head }: SelectedFeatures): { weight: Float32Array; bias: Float32Array } {
  const floats = (text: string) => new Float32Array(Uint8Array.from(Buffer.from(text, 'base64')).buffer);
  return { weight: floats(head.weight), bias: floats(head.bias) };
}
