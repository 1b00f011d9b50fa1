/**
 * Resizing and centre cropping of decoded images, equal to Pillow byte for byte: antialiased filters, two passes with
 * rounding to bytes in between, weights in fixed point (ImagingResample of Pillow 13, 8 bits per channel).
 */
import type { RgbImage } from './decode.js';
import { resampleModule } from './gen/resample.js';
import type { Preprocess } from './preprocess.js';

interface Filter {
  /** Extent to each side, in target pixels where the image shrinks and source pixels where it grows. */
  readonly support: number;
  readonly weight: (distance: number) => number;
}

const filters: Readonly<Record<Preprocess['interpolation'], Filter>> = {
  bilinear: { support: 1, weight: (x) => Math.max(0, 1 - Math.abs(x)) },
  /** Keys (1981), a = -1/2. */
  bicubic: {
    support: 2,
    weight: (distance) => {
      const x = Math.abs(distance);
      if (x < 1) return (1.5 * x - 2.5) * x * x + 1;
      return x < 2 ? (((x - 5) * x + 8) * x - 4) * -0.5 : 0;
    },
  },
};

/** From which source pixels, and how, the target pixels of one axis are computed. */
interface Axis {
  /** (first, count) per target pixel; counted from `from`. */
  readonly spans: Int32Array;
  /** `reach` per target pixel, in units of 2^-22. */
  readonly weights: Int32Array;
  /** Most source pixels that one target pixel is made of. */
  readonly reach: number;
  readonly length: number;
  /** Source pixels that are needed: from, to (exclusive). */
  readonly from: number;
  readonly to: number;
  /** Target and source are the same. */
  readonly idle: boolean;
}

/** Pillow's precompute_coeffs for the target pixels start ... start + length of an axis of `size` pixels made from `source`. */
function resampledAxis(source: number, size: number, start: number, length: number, filter: Filter): Axis {
  const scale = source / size;
  const stretch = Math.max(1, scale);
  const support = filter.support * stretch;
  const reach = Math.ceil(support) * 2 + 1;
  const spans = new Int32Array(2 * length);
  const weights = new Int32Array(reach * length);
  const row = new Float64Array(reach);
  for (let i = 0; i < length; i++) {
    const centre = (start + i + 0.5) * scale;
    const first = Math.max(0, Math.trunc(centre - support + 0.5));
    const count = Math.min(source, Math.trunc(centre + support + 0.5)) - first;
    let sum = 0;
    for (let t = 0; t < count; t++) {
      const weight = filter.weight((t + first - centre + 0.5) / stretch);
      row[t] = weight;
      sum += weight;
    }
    for (let t = 0; t < count; t++) {
      const weight = (row[t] as number) / (sum || 1);
      weights[i * reach + t] = Math.trunc(weight * 2 ** 22 + (weight < 0 ? -0.5 : 0.5));
    }
    spans[2 * i] = first;
    spans[2 * i + 1] = count;
  }
  const from = spans[0] as number;
  for (let i = 0; i < length; i++) (spans[2 * i] as number) -= from;
  const to = from + (spans[2 * length - 2] as number) + (spans[2 * length - 1] as number);
  return { spans, weights, reach, length, from, to, idle: source === size && length === size };
}

/** Exports of resample.as.ts. */
interface Passes {
  readonly memory: { readonly buffer: ArrayBuffer; grow(pages: number): number };
  resampleRows(
    source: number,
    target: number,
    height: number,
    sourceWidth: number,
    width: number,
    ...table: [spans: number, weights: number, reach: number]
  ): void;
  resampleColumns(
    source: number,
    target: number,
    height: number,
    bytes: number,
    ...table: [spans: number, weights: number, reach: number]
  ): void;
}

/** What is used of an interface that Node's type definitions leave out. */
const { Module, Instance } = (
  globalThis as unknown as {
    WebAssembly: {
      Module: new (bytes: Uint8Array) => object;
      Instance: new (module: object) => { readonly exports: unknown };
    };
  }
).WebAssembly;

/** Bytes of source rows that are in the module's memory at a time. */
const stripBytes = 2 ** 22;
const pageBytes = 2 ** 16;
/** Above this an outlier's memory is given back. */
const keptBytes = 2 ** 26;
/** The passes read and write whole vectors. */
const slack = 16;

/** Resizes (and crops) images of any size to the size of one preprocessing. */
export class Resampler {
  readonly #module = new Module(Buffer.from(resampleModule, 'base64'));
  #passes = this.#instantiate();

  constructor(private readonly preprocess: Preprocess) {}

  /**
   * @param into uint8 (h, w, 3)
   * @throws Error when the image is too large for memory
   */
  resize({ width, height, data }: RgbImage, into: Uint8Array): void {
    const { size, resize, resizeTo = 0, interpolation } = this.preprocess;
    // The long side is cut off, not rounded, as torchvision does.
    const short = Math.min(height, width);
    const scaled = (n: number) => Math.floor((n * resizeTo) / short);
    const [fullHeight, fullWidth] = resize === 'exact' ? size : [scaled(height), scaled(width)];
    const axis = (source: number, full: number, length: number) =>
      resampledAxis(source, full, halfToEven(full - length), length, filters[interpolation]);
    const rows = axis(height, fullHeight, size[0]);
    const columns = axis(width, fullWidth, size[1]);
    // Pillow's order: columns are resampled first where the height loses more than twice as much as the width.
    const columnsFirst = height - fullHeight > Math.max(0, 2 * (width - fullWidth));
    if (columnsFirst) this.#columnsFirst(data, 3 * width, rows, columns, into);
    else this.#rowsFirst(data, 3 * width, rows, columns, into);
    if (this.#passes.memory.buffer.byteLength > keptBytes) this.#passes = this.#instantiate();
  }

  #rowsFirst(data: Uint8Array, line: number, rows: Axis, columns: Axis, into: Uint8Array): void {
    const bytes = 3 * columns.length;
    const needed = rows.to - rows.from;
    const strip = Math.max(1, Math.min(needed, Math.floor(stripBytes / line)));
    const sizes = [columns.idle ? 0 : strip * line, needed * bytes, rows.idle ? 0 : into.length];
    const { view, alongRow, alongColumn, regions } = this.#place(rows, columns, sizes);
    const [source, between, target] = regions as [number, number, number];
    for (let y = 0; y < needed; y += strip) {
      const count = Math.min(strip, needed - y);
      const part = data.subarray((rows.from + y) * line, (rows.from + y + count) * line);
      view.set(part, columns.idle ? between + y * bytes : source);
      if (columns.idle) continue;
      const first = source + 3 * columns.from;
      this.#passes.resampleRows(first, between + y * bytes, count, line / 3, columns.length, ...alongRow);
    }
    if (!rows.idle) this.#passes.resampleColumns(between, target, rows.length, bytes, ...alongColumn);
    const result = rows.idle ? between : target;
    into.set(view.subarray(result, result + into.length));
  }

  #columnsFirst(data: Uint8Array, line: number, rows: Axis, columns: Axis, into: Uint8Array): void {
    const strip = Math.min(rows.to - rows.from, Math.max(rows.reach, Math.floor(stripBytes / line)));
    const sizes = [strip * line, rows.length * line, into.length];
    const { view, alongRow, alongColumn, regions } = this.#place(rows, columns, sizes);
    const [source, between, target] = regions as [number, number, number];
    const [spans, weights, reach] = alongColumn;
    const first = (y: number) => rows.spans[2 * y] as number;
    const end = (y: number) => first(y) + (rows.spans[2 * y + 1] as number);
    for (let y = 0, count = 0; y < rows.length; y += count) {
      // As many target rows as the strip has source rows for.
      count = 1;
      while (y + count < rows.length && end(y + count) - first(y) <= strip) count++;
      const part = data.subarray((rows.from + first(y)) * line, (rows.from + end(y + count - 1)) * line);
      view.set(part, source);
      const table = [spans + 8 * y, weights + 4 * reach * y, reach] as const;
      this.#passes.resampleColumns(source - first(y) * line, between + y * line, count, line, ...table);
    }
    const left = between + 3 * columns.from;
    this.#passes.resampleRows(left, target, rows.length, line / 3, columns.length, ...alongRow);
    into.set(view.subarray(target, target + into.length));
  }

  /** Writes the tables of both axes into the module's memory, and finds places of `sizes` bytes behind them. */
  #place(rows: Axis, columns: Axis, sizes: readonly number[]) {
    const { memory } = this.#passes;
    let end = 0;
    const take = (bytes: number) => {
      const start = end;
      end = start + Math.ceil((bytes + slack) / slack) * slack;
      return start;
    };
    const tables = [columns, rows].map(
      (axis) => [axis, take(axis.spans.byteLength), take(axis.weights.byteLength)] as const,
    );
    const regions = sizes.map(take);
    const missing = Math.ceil((end - memory.buffer.byteLength) / pageBytes);
    try {
      if (missing > 0) memory.grow(missing);
    } catch {
      throw new Error(`it takes ${end} bytes, which there is no memory for`);
    }
    for (const [axis, spans, weights] of tables) {
      new Int32Array(memory.buffer, spans, axis.spans.length).set(axis.spans);
      new Int32Array(memory.buffer, weights, axis.weights.length).set(axis.weights);
    }
    const [alongRow, alongColumn] = tables.map(([axis, spans, weights]) => [spans, weights, axis.reach]) as [
      [number, number, number],
      [number, number, number],
    ];
    return { view: new Uint8Array(memory.buffer), alongRow, alongColumn, regions };
  }

  #instantiate(): Passes {
    return new Instance(this.#module).exports as Passes;
  }
}

/** n / 2, halves to even. */
function halfToEven(n: number): number {
  const down = Math.floor(n / 2);
  return n % 2 === 0 ? down : down + (down % 2);
}
