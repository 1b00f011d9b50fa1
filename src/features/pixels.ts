/** The image input of a network: its shape as the network has it, and as bytes with the preprocessing inside. */
import { normaliseInput, type Preprocess } from '../data/index.js';
import { type Graph, type InputShape, replaceInput } from '../graph/index.js';

/** Shape of a network's own image input, floats. */
export function inputShape({ size: [height, width], layout }: Preprocess, batch: number): InputShape {
  return layout === 'nchw' ? [batch, 3, height, width] : [batch, height, width, 3];
}

/** Shape of a batch of uint8 images. */
export function pixelShape({ size: [height, width] }: Preprocess, batch: number): InputShape {
  return [batch, height, width, 3];
}

/** The network with uint8 images (batch, height, width, 3) for input, preprocessed inside. */
export function pixelInput(graph: Graph, preprocess: Preprocess, batch: number): Graph {
  const input = { name: 'images', type: 'uint8', shape: pixelShape(preprocess, batch) } as const;
  return replaceInput(graph, input, (b, images) => normaliseInput(b, images, preprocess));
}
