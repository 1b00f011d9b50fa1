/** Running statistics for norms that are frozen without ever having seen an image. */
import type { Preprocess } from '../data/index.js';
import type { Engine, Tensors } from '../engine/index.js';
import { pixelInput, pixelShape } from '../features/index.js';
import {
  float32,
  type LearnedLayer,
  specialise,
  subgraph,
  type Tensor,
  toNumbers,
  trainingForm,
} from '../graph/index.js';
import { withWeights } from './assemble.js';
import { type Augmentation, zeroColour } from './augment.js';
import { AugmentedImages } from './batches.js';
import type { ImageSource } from './images.js';
import type { Network } from './network.js';
import { keepForTraining } from './treatment.js';

/** Training images that statistics are taken of. */
const calibrationImages = 128;
export const calibrationBatch = 32;

export interface Calibration {
  readonly preprocess: Preprocess;
  readonly images: ImageSource;
  readonly augmentation: Augmentation;
}

/** Evenly spread training images, as training sees them. */
export async function* calibrationBatches(
  input: string,
  { images, augmentation, preprocess }: Calibration,
): AsyncGenerator<Tensors> {
  const { size } = preprocess;
  const batch = calibrationBatch;
  const n = images.files.length;
  const source = new AugmentedImages(images, augmentation, size, batch, 0, zeroColour(preprocess));
  const pixels = new Uint8Array(batch * size[0] * size[1] * 3);
  const total = Math.ceil(Math.min(calibrationImages, n) / batch) * batch;
  for (let start = 0; start < total; start += batch) {
    const indices = Array.from({ length: batch }, (_, i) => Math.floor(((start + i) * n) / total));
    await source.fill(indices, -1, pixels);
    yield { [input]: { type: 'uint8', dims: [batch, ...size, 3], data: pixels } };
  }
}

/**
 * The network with the running statistics of the batch norms in `layers` set to those of training images, each norm behind
 * the calibrated ones before it. Random layers that are frozen would else pass on whatever scale they were drawn with.
 */
export async function calibrateNorms(
  engine: Engine,
  network: Network,
  layers: readonly LearnedLayer[],
  calibration: Calibration,
): Promise<Network> {
  const { preprocess } = calibration;
  const own = new Set(layers.flatMap((layer) => layer.parameters.map((p) => p.name)));
  const onPixels = pixelInput({ ...network.graph, outputs: [{ name: network.logits }] }, preprocess, calibrationBatch);
  const keep = { ...keepForTraining(network.graph), keepDropout: false };
  const { graph, input } = await specialise(onPixels, engine, pixelShape(preprocess, calibrationBatch), keep);
  const isLeft = (inputs: readonly string[]) => !inputs.slice(3, 5).some((name) => own.has(name));
  const form = trainingForm(graph, { frozen: (node) => isLeft(node.inputs), momentum: 0 });
  if (form.running.length === 0) return network;
  const images = form.graph.inputs.filter((i) => i.name === input);
  const states = form.graph.inputs.filter((i) => form.running.some((slot) => slot.input === i.name));
  const outputs = form.running.map((slot) => slot.output);
  const program = await engine.compile(subgraph(form.graph, [...images, ...states], outputs));
  const moments = form.running.map(({ dims }) => new Moments(dims));
  try {
    const state = Object.fromEntries(form.running.map((slot) => [slot.input, slot.initial]));
    for await (const feeds of calibrationBatches(input, calibration)) {
      const results = await program.run({ ...feeds, ...state });
      form.running.forEach((slot, i) => moments[i]?.add(results[slot.output] as Tensor));
    }
  } finally {
    await program.dispose();
  }
  // A norm's mean and variance are neighbours in its inputs, and in the slots.
  const statistics = form.running.map((slot, i): [string, Tensor] => {
    const isVariance = i % 2 === 1;
    const between = isVariance ? (moments[i - 1] as Moments).variance() : undefined;
    return [slot.input, (moments[i] as Moments).mean(between)];
  });
  return { ...network, graph: withWeights(network.graph, new Map(statistics)) };
}

/** Mean and variance of a vector over batches. */
class Moments {
  readonly #rows: number[][] = [];

  constructor(readonly dims: readonly number[]) {}

  add(tensor: Tensor): void {
    this.#rows.push(toNumbers(tensor).slice());
  }

  /** @param added to every element */
  mean(added: readonly number[] = []): Tensor {
    return float32(
      this.dims,
      Float32Array.from(this.#means(), (m, c) => m + (added[c] ?? 0)),
    );
  }

  variance(): number[] {
    const means = this.#means();
    return means.map((m, c) => average(this.#rows.map((row) => ((row[c] as number) - m) ** 2)));
  }

  #means(): number[] {
    return (this.#rows[0] ?? []).map((_, c) => average(this.#rows.map((row) => row[c] as number)));
  }
}

const average = (values: readonly number[]): number => values.reduce((sum, v) => sum + v, 0) / values.length;
