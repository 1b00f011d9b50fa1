/** Statistics of the channels of convolutions over images, which calibrate the normalisations put after them. */
import { UserError } from '../../base/index.js';
import type { Engine, Tensors } from '../../engine/index.js';
import { float32, type Graph, GraphBuilder, intsAttribute, type Node, toNumbers } from '../../ir/index.js';
import { prune } from '../prune.js';
import { upgrade } from '../upgrade.js';

/** Mean and variance over images and positions, one number per channel. */
export interface ChannelStatistics {
  readonly mean: Float64Array;
  readonly variance: Float64Array;
}

/**
 * Channel statistics of the outputs of `convolutions` over batches of training images.
 * @param batches feeds of the graph, the image first: (n, channels, height, width), any n
 */
export async function channelStatistics(
  graph: Graph,
  convolutions: readonly Node[],
  engine: Engine,
  batches: Iterable<Tensors> | AsyncIterable<Tensors>,
): Promise<Map<string, ChannelStatistics>> {
  const values = convolutions.map((node) => node.outputs[0] as string);
  const { measuring, outputs } = measured(graph, convolutions);
  const program = await engine.compile(measuring);
  const parts: { images: number; results: Tensors }[] = [];
  try {
    for await (const feeds of batches) {
      const images = feeds[graph.inputs[0]?.name ?? '']?.dims[0] ?? 0;
      parts.push({ images, results: await program.run(feeds) });
    }
  } finally {
    await program.dispose();
  }
  const images = parts.reduce((sum, part) => sum + part.images, 0);
  if (images === 0) throw new UserError('there are no images to calibrate the normalisations on');
  return new Map(
    values.map((value, i) => {
      const [meanName, varianceName] = outputs[i] as [string, string];
      const read = (name: string) => parts.map((part) => toNumbers(part.results[name] ?? float32([0], [])));
      return [
        value,
        pooled(
          read(meanName),
          read(varianceName),
          parts.map((part) => part.images / images),
        ),
      ];
    }),
  );
}

/** The graph whose outputs are the mean and variance of each convolution. */
function measured(graph: Graph, convolutions: readonly Node[]): { measuring: Graph; outputs: [string, string][] } {
  const b = new GraphBuilder(upgrade(graph), 'calibrate');
  b.clearOutputs();
  const outputs = convolutions.map((node): [string, string] => {
    const value = node.outputs[0] as string;
    const positions = intsAttribute(node, 'kernel_shape')?.length ?? 2;
    const axes = [0, ...Array.from({ length: positions }, (_, i) => i + 2)];
    const mean = b.mean(value, axes, true);
    const apart = b.sub(value, mean);
    const variance = b.mean(b.mul(apart, apart), axes);
    const flat = b.reshape(mean, [-1]);
    return [b.output(flat), b.output(variance)];
  });
  return { measuring: prune(b.build()), outputs };
}

/** Statistics of the union of batches from those of the batches; weights sum to one. */
function pooled(means: number[][], variances: number[][], weights: number[]): ChannelStatistics {
  const channels = means[0]?.length ?? 0;
  const mean = new Float64Array(channels);
  const variance = new Float64Array(channels);
  for (let c = 0; c < channels; c++) {
    weights.forEach((w, k) => {
      mean[c] = (mean[c] ?? 0) + w * (means[k]?.[c] ?? 0);
    });
    weights.forEach((w, k) => {
      const apart = (means[k]?.[c] ?? 0) - (mean[c] ?? 0);
      variance[c] = (variance[c] ?? 0) + w * ((variances[k]?.[c] ?? 0) + apart * apart);
    });
  }
  return { mean, variance };
}
