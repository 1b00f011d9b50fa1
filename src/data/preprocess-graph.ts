/**
 * Preprocessing as graphs, in two parts that meet at uint8 pixels of the backbone's size: resizing (any size in, one
 * image) and normalising (a batch). The extraction pass puts the second in front of the backbone and resizes by
 * resample.ts, which is faster; an exported model carries both, and computes the same bytes.
 */
import { float32, type GraphBuilder } from '../graph/index.js';
import type { Preprocess } from './preprocess.js';
import { resample } from './resample-graph.js';

/**
 * Adds nodes that resize (and crop) one image.
 * @param image uint8 [H, W, 3]
 * @returns uint8 [1, h, w, 3]
 */
export function resizeImage(b: GraphBuilder, image: string, preprocess: Preprocess): string {
  const { size, resize, resizeTo } = preprocess;
  const dims = b.op('Shape', [image], { start: 0, end: 2 });
  const full = resize === 'exact' ? b.ints(size) : cropTarget(b, dims, resizeTo as number);
  // Centre crop: half of the margin, halves to even.
  const margin = b.cast(b.sub(full, b.ints(size)), 'float32');
  const starts = b.cast(b.op('Round', [b.mul(margin, b.scalar(0.5))]), 'int64');
  return b.op('Unsqueeze', [resample(b, image, { dims, full, starts }, preprocess), b.ints([0])]);
}

/**
 * Height and width (int64 [2]) of the image whose short side is `short`. The long side is cut off, not rounded, as
 * torchvision does; integer division does that exactly.
 */
function cropTarget(b: GraphBuilder, dims: string, short: number): string {
  const shorter = b.op('ReduceMin', [dims, b.ints([0])], { keepdims: 1 });
  return b.op('Div', [b.op('Mul', [dims, b.ints([short])]), shorter]);
}

/**
 * Adds nodes that turn pixels into what the backbone expects.
 * @param pixels uint8 [B, h, w, 3], RGB
 * @returns float32 [B, 3, h, w], or [B, h, w, 3] with layout 'nhwc'
 */
export function normaliseInput(b: GraphBuilder, pixels: string, preprocess: Preprocess): string {
  const { mean, std, scale, layout, channels } = preprocess;
  let value = pixels;
  // Bytes are a quarter of the floats: reorder them first.
  if (channels === 'bgr') value = b.op('Gather', [value, b.ints([2, 1, 0])], { axis: 3 });
  if (layout === 'nchw') value = b.op('Transpose', [value], { perm: [0, 3, 1, 2] });
  value = b.cast(value, 'float32');
  const factor = std.map((s) => scale / s);
  const shift = std.map((s, c) => -(mean[c] as number) / s);
  const shifted = shift.some((s) => s !== 0);
  if (layout === 'nchw' && shifted) {
    // One pass over the floats, where Mul and Add are two (.53 against .81 ms an image with everything else above).
    const vector = (values: number[]) => b.constant(float32([3], values));
    const statistics = [vector([0, 0, 0]), vector([1, 1, 1])];
    return b.op('BatchNormalization', [value, vector(factor), vector(shift), ...statistics], { epsilon: 0 });
  }
  const dims = layout === 'nchw' ? [1, 3, 1, 1] : [1, 1, 1, 3];
  if (factor.some((f) => f !== 1)) value = b.op('Mul', [value, b.constant(float32(dims, factor))]);
  if (shifted) value = b.op('Add', [value, b.constant(float32(dims, shift))]);
  return value;
}

/**
 * Adds the whole preprocessing of one image of any size.
 * @param image uint8 [H, W, 3]
 * @returns float32 [1, 3, h, w], or [1, h, w, 3] with layout 'nhwc'
 */
export function preprocessImage(b: GraphBuilder, image: string, preprocess: Preprocess): string {
  return normaliseInput(b, resizeImage(b, image, preprocess), preprocess);
}
