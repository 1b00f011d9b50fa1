/** Augmentation of uint8 images, drawn from a stream of its own for every example and epoch. */
import { Random } from '../base/index.js';
import type { Preprocess } from '../data/index.js';

/** Ways of changing training images at random. */
export const augmentations = ['none', 'flip', 'crop-flip', 'pad-crop-flip', 'random-resized-crop'] as const;
/**
 * - `flip`: mirrored with probability 1/2.
 * - `crop-flip`: a crop at a uniform place of an image that is kept somewhat larger (256 pixels for 227), and flip
 *   (Krizhevsky et al., 2012; Yosinski et al., 2014).
 * - `pad-crop-flip`: the same of an image padded by an eighth of its size on every side (4 pixels of 32) with what
 *   preprocessing turns into zero, and flip (He et al., 2016, on CIFAR).
 * - `random-resized-crop`: a crop of 8 to 100 % of the area, aspect 3/4 to 4/3, resized (triangle filter), and flip.
 */
export type Augmentation = (typeof augmentations)[number];

/** Height and width. */
export type Size = readonly [number, number];

/** How much larger than the network's input images are kept, to be cropped. */
const enlarged: Partial<Record<Augmentation, number>> = { 'crop-flip': 256 / 227, 'random-resized-crop': 8 / 7 };

/** Size at which images are kept for training at `size`. */
export function storedSize(augmentation: Augmentation, [height, width]: Size): Size {
  const factor = enlarged[augmentation] ?? 1;
  return [Math.round(height * factor), Math.round(width * factor)];
}

/** Red, green and blue, 0 to 255. */
export type Colour = readonly [number, number, number];

/** The colour that preprocessing turns into zero, as near as bytes come to it. */
export function zeroColour({ mean, scale, channels }: Pick<Preprocess, 'mean' | 'scale' | 'channels'>): Colour {
  const [a, b, c] = mean.map((m) => Math.min(255, Math.max(0, Math.round(m / scale)))) as [number, number, number];
  return channels === 'bgr' ? [c, b, a] : [a, b, c];
}

/** One image, (height, width, 3) uint8, at `offset` elements of `data`. */
export interface ImageAt {
  readonly data: Uint8Array;
  readonly offset: number;
  readonly size: Size;
}

export interface Draw {
  readonly seed: number | string;
  readonly epoch: number;
  readonly index: number;
  /** Of what lies outside of the image. */
  readonly outside: Colour;
}

/** Writes the augmented `from` into `to`, whose sizes are storedSize(augmentation, size) and size. */
export function augment(
  augmentation: Augmentation,
  from: ImageAt,
  to: ImageAt,
  { seed, epoch, index, outside }: Draw,
): void {
  if (augmentation === 'none') {
    to.data.set(from.data.subarray(from.offset, from.offset + from.size[0] * from.size[1] * 3), to.offset);
    return;
  }
  const random = new Random(seed, 'augment', epoch, index);
  const mirrored = random.uniform() < 0.5;
  if (augmentation === 'random-resized-crop') {
    resizeCrop(from, randomCrop(from.size, random), mirrored, to);
    return;
  }
  /** Where the crop begins along an axis, counted in pixels of the image. */
  const place = (axis: 0 | 1) => {
    const padding = augmentation === 'pad-crop-flip' ? Math.round(from.size[axis] / 8) : 0;
    return random.integer(from.size[axis] + 2 * padding - to.size[axis] + 1) - padding;
  };
  cut(from, place(0), place(1), mirrored, outside, to);
}

/** to[y][x] = from[y + top][x + left], columns mirrored afterwards. */
function cut(from: ImageAt, top: number, left: number, mirrored: boolean, outside: Colour, to: ImageAt): void {
  const [height, width] = to.size;
  const [rows, columns] = from.size;
  for (let y = 0; y < height; y++) {
    const sy = y + top;
    const source = from.offset + sy * columns * 3;
    for (let x = 0; x < width; x++) {
      const sx = (mirrored ? width - 1 - x : x) + left;
      const isInside = sy >= 0 && sy < rows && sx >= 0 && sx < columns;
      const at = to.offset + (y * width + x) * 3;
      const p = source + 3 * sx;
      for (let c = 0; c < 3; c++) to.data[at + c] = (isInside ? from.data[p + c] : outside[c]) as number;
    }
  }
}

interface Crop {
  readonly y: number;
  readonly x: number;
  readonly height: number;
  readonly width: number;
}

/** Area uniform in 8 to 100 %, log aspect uniform; the whole image when ten draws do not fit (Szegedy et al., 2015). */
function randomCrop([height, width]: Size, random: Random): Crop {
  for (let attempt = 0; attempt < 10; attempt++) {
    const area = height * width * (0.08 + 0.92 * random.uniform());
    const aspect = Math.exp((2 * random.uniform() - 1) * Math.log(4 / 3));
    const w = Math.round(Math.sqrt(area * aspect));
    const h = Math.round(Math.sqrt(area / aspect));
    if (w < 1 || h < 1 || w > width || h > height) continue;
    return { y: random.integer(height - h + 1), x: random.integer(width - w + 1), height: h, width: w };
  }
  return { y: 0, x: 0, height, width };
}

/** Weights of the source pixels of each target pixel, along one axis. */
interface Kernel {
  readonly first: Int32Array;
  readonly count: number;
  /** (target, count). */
  readonly weights: Float32Array;
}

/** Triangle filter, widened when the image shrinks; half-pixel centres. */
function triangle(source: number, target: number): Kernel {
  const scale = source / target;
  const support = Math.max(1, scale);
  const count = Math.ceil(2 * support) + 1;
  const first = new Int32Array(target);
  const weights = new Float32Array(target * count);
  for (let t = 0; t < target; t++) {
    const centre = (t + 0.5) * scale;
    const start = Math.min(Math.max(0, Math.floor(centre - support)), Math.max(0, source - count));
    first[t] = start;
    let sum = 0;
    for (let k = 0; k < count && start + k < source; k++) {
      const w = Math.max(0, 1 - Math.abs(start + k + 0.5 - centre) / support);
      weights[t * count + k] = w;
      sum += w;
    }
    for (let k = 0; k < count; k++) weights[t * count + k] = (weights[t * count + k] as number) / sum;
  }
  return { first, count, weights };
}

/** Resizes the crop to the whole of `to`: columns first, then rows. */
function resizeCrop(from: ImageAt, crop: Crop, mirrored: boolean, to: ImageAt): void {
  const [height, width] = to.size;
  const columns = triangle(crop.width, width);
  const rows = triangle(crop.height, height);
  const middle = new Float32Array(crop.height * width * 3);
  for (let y = 0; y < crop.height; y++) {
    const source = from.offset + ((crop.y + y) * from.size[1] + crop.x) * 3;
    for (let x = 0; x < width; x++) {
      const out = (y * width + (mirrored ? width - 1 - x : x)) * 3;
      const start = columns.first[x] as number;
      let r = 0;
      let g = 0;
      let b = 0;
      for (let k = 0; k < columns.count && start + k < crop.width; k++) {
        const w = columns.weights[x * columns.count + k] as number;
        const p = source + (start + k) * 3;
        r += w * (from.data[p] as number);
        g += w * (from.data[p + 1] as number);
        b += w * (from.data[p + 2] as number);
      }
      middle[out] = r;
      middle[out + 1] = g;
      middle[out + 2] = b;
    }
  }
  const row = width * 3;
  const line = new Float32Array(row);
  for (let y = 0; y < height; y++) {
    const start = rows.first[y] as number;
    line.fill(0.5);
    for (let k = 0; k < rows.count && start + k < crop.height; k++) {
      const w = rows.weights[y * rows.count + k] as number;
      if (w === 0) continue;
      const p = (start + k) * row;
      for (let i = 0; i < row; i++) line[i] = (line[i] as number) + w * (middle[p + i] as number);
    }
    // Float to uint8 truncates; the half above rounds.
    to.data.set(line, to.offset + y * row);
  }
}
