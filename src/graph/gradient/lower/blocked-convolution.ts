/** Convolutions and their gradients as blocked convolutions. See blocked.ts for the layout. */
import { blockedDomain } from '../names.js';
import { isDepthwise, uncovered, type Window } from '../window.js';
import type { BlockedLayout } from './layout.js';

const roundUp = (n: number, block: number) => Math.ceil(n / block) * block;

/** Whether channels can be convolved in groups of whole blocks. */
const fillsBlocks = (l: BlockedLayout, inputs: number, outputs: number) =>
  inputs % l.block === 0 && outputs % l.block === 0;

/** (O, I, K) plain weights -> blocked (O/b, I/b, K, b of I, b of O), or (O/b, I, K, b of O) for images and depthwise. */
function blockedKernel(l: BlockedLayout, plain: string, images: boolean): string {
  const { e, block } = l;
  const [o, i, ...kernel] = e.dims(plain) as [number, number, ...number[]];
  const size = kernel.reduce((a, k) => a * k, 1);
  const [oFull, iFull] = [roundUp(o, block), images ? i : roundUp(i, block)];
  const full = e.pad(plain, [0, 0, ...kernel.map(() => 0)], [oFull - o, iFull - i, ...kernel.map(() => 0)]);
  const split = images ? [oFull / block, block, i, size] : [oFull / block, block, iFull / block, block, size];
  const perm = images ? [0, 2, 3, 1] : [0, 2, 4, 3, 1];
  return e.reshape(e.transpose(e.reshape(full, split), perm), [oFull, iFull, ...kernel]);
}

interface Convolution {
  readonly x: string;
  readonly w: string;
  /** '' for none. */
  readonly bias: string;
  readonly y: string;
  readonly window: Window;
}

export function convolution(l: BlockedLayout, { x, w, bias, y, window }: Convolution): boolean {
  const [o, i] = l.dims(w) as [number, number];
  const depthwise = isDepthwise(window.group, l.dims(w));
  const images = !depthwise && i < l.block && !l.isBlocked(x);
  if (!depthwise && window.group > 1 && !fillsBlocks(l, i, o / window.group)) return false;
  const kernel = l.once(`kernel ${w}`, () => blockedKernel(l, l.plain(w), images || depthwise));
  const group = depthwise ? roundUp(window.group, l.block) : window.group;
  const shift = bias ? l.vector(bias, [1]) : '';
  l.postpone(y, [images ? l.plain(x) : l.blocked(x), kernel, shift], { ...window, group });
  return true;
}

interface InputGradient {
  readonly dy: string;
  readonly w: string;
  readonly dx: string;
  readonly window: Window;
}

/**
 * Along an axis of stride s, position s q + phase of dx is the sum over m of dy[q + m] w[phase + pad - s m]. For all
 * phases together m runs over a common range, so that one convolution of dy gives every phase as a channel.
 */
interface AxisPhases {
  /** First m and number of them. */
  readonly low: number;
  readonly reach: number;
  /** Positions per phase. */
  readonly count: number;
  readonly end: number;
}

function axisPhases(kernel: number, stride: number, pad: number, size: number, out: number): AxisPhases {
  const low = Math.ceil((pad - kernel + 1) / stride);
  const reach = Math.floor((stride - 1 + pad) / stride) - low + 1;
  const count = size / stride;
  return { low, reach, count, end: count - out + reach - 1 + low };
}

/** The phases of an image's rows and columns, and the convolution that computes one. */
interface Phases {
  readonly rows: AxisPhases;
  readonly columns: AxisPhases;
  /** How many there are. */
  readonly count: number;
  /** Weights that one reads. */
  readonly size: number;
  readonly window: Omit<Window, 'group'>;
}

/** Undefined where the image has no whole phases, or a phase reads outside what a convolution can pad. */
function phasesOf(l: BlockedLayout, { dy, dx, window }: InputGradient): Phases | undefined {
  const [, , h, w] = l.dims(dx) as [number, number, number, number];
  const [, , oh, ow] = l.dims(dy) as [number, number, number, number];
  const [kh, kw] = window.kernel as [number, number];
  const [sh, sw] = window.strides as [number, number];
  if (window.dilations.some((d) => d !== 1) || h % sh !== 0 || w % sw !== 0) return undefined;
  const rows = axisPhases(kh, sh, window.begin[0] as number, h, oh);
  const columns = axisPhases(kw, sw, window.begin[1] as number, w, ow);
  if (rows.low > 0 || columns.low > 0 || rows.end < 0 || columns.end < 0) return undefined;
  const own = {
    kernel: [rows.reach, columns.reach],
    strides: [1, 1],
    dilations: [1, 1],
    begin: [-rows.low, -columns.low],
    end: [rows.end, columns.end],
  };
  return { rows, columns, count: sh * sw, size: rows.reach * columns.reach, window: own };
}

/** The weights that every phase reads, in its order: (O, I, phases x weights). */
function phaseWeights(l: BlockedLayout, w: string, window: Window, { rows, columns }: Phases): string {
  const { e } = l;
  const [o, i] = l.dims(w) as [number, number];
  const [kh, kw] = window.kernel as [number, number];
  const [sh, sw] = window.strides as [number, number];
  // Index into the kernel; its size stands for no weight at all.
  const none = kh * kw;
  const table: number[] = [];
  for (let p = 0; p < sh; p++) {
    for (let q = 0; q < sw; q++) {
      for (let a = 0; a < rows.reach; a++) {
        for (let b = 0; b < columns.reach; b++) {
          const r = p + (window.begin[0] as number) - sh * (rows.low + a);
          const c = q + (window.begin[1] as number) - sw * (columns.low + b);
          table.push(r >= 0 && r < kh && c >= 0 && c < kw ? r * kw + c : none);
        }
      }
    }
  }
  const flat = e.reshape(l.plain(w), [o, i, none]);
  const source = table.includes(none) ? e.pad(flat, [0, 0, 0], [0, 0, 1]) : flat;
  const identity = table.length === none && table.every((t, k) => t === k);
  return identity ? source : e.gather(source, e.ints(table), 2);
}

export function inputGradient(l: BlockedLayout, request: InputGradient): boolean {
  const { w, dx, window } = request;
  const phases = phasesOf(l, request);
  if (!phases) return false;
  const [o, i] = l.dims(w) as [number, number];
  const depthwise = isDepthwise(window.group, l.dims(w));
  if (!depthwise && window.group > 1 && !fillsBlocks(l, i, o / window.group)) return false;
  const weights = phaseWeights(l, w, window, phases);
  const parts = depthwise ? depthwisePhases(l, request, phases, weights) : groupedPhases(l, request, phases, weights);
  if (parts !== undefined) interleave(l, dx, window, phases, parts);
  return true;
}

/** (N, phases, C/b, rows, columns, b): a convolution per phase. A single phase is dx itself, and comes back as nothing. */
function depthwisePhases(l: BlockedLayout, { dy, w, dx }: InputGradient, phases: Phases, weights: string) {
  const { e, block } = l;
  const { rows, columns, count, size } = phases;
  const [n] = l.dims(dx) as [number];
  const [o] = l.dims(w) as [number];
  const full = l.channels(dx);
  const window = { ...phases.window, group: full };
  const kernelOf = (p: number) => {
    const own = e.slice(weights, 2, p * size, (p + 1) * size);
    return blockedKernel(l, e.reshape(own, [o, 1, rows.reach, columns.reach]), true);
  };
  if (count === 1) {
    const kernel = kernelOf(0);
    l.postpone(dx, [l.blocked(dy), kernel, ''], window);
    return undefined;
  }
  const each = Array.from({ length: count }, (_, p) => {
    const kernel = kernelOf(p);
    return l.convolve([l.blocked(dy), kernel, ''], window, [n, full, rows.count, columns.count]);
  });
  const shape = [n, 1, full / block, rows.count, columns.count, block];
  return e.concat(
    each.map((v) => e.reshape(v, shape)),
    1,
  );
}

/** The same by one convolution, whose output channels are phases of input channels. */
function groupedPhases(l: BlockedLayout, { dy, w, dx, window }: InputGradient, phases: Phases, weights: string) {
  const { e, block } = l;
  const { rows, columns, count, size } = phases;
  const [n] = l.dims(dx) as [number];
  const [o, i] = l.dims(w) as [number, number];
  const g = window.group;
  const [full, iFull] = [l.channels(dx), roundUp(i, block)];
  // (g, O/g, I, phases, weights) -> (g, phases, I, O/g, weights).
  const split = e.reshape(weights, [g, o / g, i, count, size]);
  const even = e.pad(split, [0, 0, 0, 0, 0], [0, 0, iFull - i, 0, 0]);
  const turned = e.reshape(e.transpose(even, [0, 3, 2, 1, 4]), [g * count * iFull, o / g, rows.reach, columns.reach]);
  const kernel = blockedKernel(l, turned, false);
  const own = { ...phases.window, group: g };
  if (count === 1) {
    l.postpone(dx, [l.blocked(dy), kernel, ''], own);
    return undefined;
  }
  const all = l.convolve([l.blocked(dy), kernel, ''], own, [n, g * count * iFull, rows.count, columns.count]);
  const shape = [n, count, full / block, rows.count, columns.count, block];
  if (g === 1) return e.reshape(all, shape);
  const grouped = e.reshape(all, [n, g, count, iFull / block, rows.count * columns.count * block]);
  return e.reshape(e.transpose(grouped, [0, 2, 1, 3, 4]), shape);
}

/** Puts the phases side by side into dx. */
function interleave(l: BlockedLayout, dx: string, window: Window, { rows, columns }: Phases, parts: string): void {
  const { e, block } = l;
  const [n, , h, w] = l.dims(dx) as [number, number, number, number];
  const [sh, sw] = window.strides as [number, number];
  const full = l.channels(dx);
  const apart = e.reshape(parts, [n, sh, sw, full / block, rows.count, columns.count, block]);
  l.setBlocked(dx, e.reshape(e.transpose(apart, [0, 3, 4, 1, 5, 2, 6]), [n, full, h, w]));
}

interface WeightGradient {
  readonly x: string;
  readonly dy: string;
  readonly dw: string;
  readonly window: Window;
}

/** (N, C, H, W) -> (N/b, H, W, C, b of N), the lanes being examples. */
function batchLanes(l: BlockedLayout, x: string): string {
  return l.once(`lanes ${x}`, () => {
    const { e, block } = l;
    const [n, c, h, w] = l.dims(x) as [number, number, number, number];
    if (!l.isBlocked(x)) {
      const rows = e.transpose(e.reshape(l.plain(x), [n / block, block, c, h * w]), [0, 3, 2, 1]);
      return e.reshape(rows, [n / block, h, w, c, block]);
    }
    // Examples become lanes by the reorder, which takes them for channels; then whole tiles of b x b move. One Transpose
    // of elements would do both far more slowly, and two are merged into it by the runtime.
    const full = l.channels(x);
    const flat = e.reshape(l.blocked(x), [1, n, full * h * w, 1]);
    const lanes = e.emit('ReorderInput', [flat], [1, n, full * h * w, 1], {}, blockedDomain);
    const tiles = e.reshape(lanes, [n / block, full / block, h * w, block * block]);
    return e.reshape(e.transpose(tiles, [0, 2, 1, 3]), [n / block, h, w, full, block]);
  });
}

export function weightGradient(l: BlockedLayout, { x, dy, dw, window }: WeightGradient): boolean {
  const { e, block } = l;
  const [n, , h, w] = l.dims(x) as [number, number, number, number];
  const [, o, oh, ow] = l.dims(dy) as [number, number, number, number];
  const [kh, kw] = window.kernel as [number, number];
  const [sh, sw] = window.strides as [number, number];
  const rest = uncovered(window, [h, w], [oh, ow]);
  const end = window.end.map((p, i) => p - (rest[i] as number));
  if (window.dilations.some((d) => d !== 1)) return false;
  const group = window.group;
  const per = l.dims(dw)[1] as number;
  if (group > 1 && per === 1 && o === group) {
    if (end.some((p) => p < 0)) return false;
    return depthwiseWeightGradient(l, { x, dy, dw, window: { ...window, end } });
  }
  // Groups are convolutions of their own; many small ones are better off as one.
  if (n % block !== 0 || (group > 1 && (o % (group * block) !== 0 || group > mostGroups))) return false;
  const blockedDy = l.blocked(dy);
  const oFull = roundUp(o, block);
  // Examples in parts of their own, whose results are added, so that all threads have work.
  const parts = n % (2 * block) === 0 ? 2 : 1;
  const m = n / parts / block;
  const lanes = batchLanes(l, x);
  // Crop what no window covers, pad the columns; the convolution pads the rows by itself.
  const [bottom, right] = end as [number, number];
  const columns = e.pad(lanes, [0, 0, window.begin[1] as number, 0, 0], [0, Math.min(bottom, 0), right, 0, 0]);
  const [, height, width, all] = e.dims(columns) as [number, number, number, number];
  const turned = e.transpose(
    e.reshape(blockedDy, [parts, m, block, oFull / block, oh * ow, block]),
    [0, 3, 1, 4, 2, 5],
  );
  const [channels, outputs] = group > 1 ? [per, o / group] : [all, oFull];
  const each = Array.from({ length: group }, (_, g) => {
    const own = group > 1 ? e.slice(columns, 3, g * per, (g + 1) * per) : columns;
    const image = e.reshape(own, [1, n, height, width * channels]);
    const rows = group > 1 ? e.slice(turned, 1, (g * outputs) / block, ((g + 1) * outputs) / block) : turned;
    const kernel = e.reshape(rows, [parts * outputs, n / parts, oh, ow]);
    const result = l.convolve(
      [image, kernel, ''],
      {
        kernel: [oh, ow],
        strides: [1, 1],
        dilations: [sh, sw * channels],
        begin: [window.begin[0] as number, 0],
        end: [Math.max(bottom, 0), 0],
        group: parts,
      },
      [1, parts * outputs, kh, kw * channels],
    );
    // (parts, O/b, kh, kw, C, b) -> (O, C, kh, kw).
    const summed = e.sum(e.reshape(result, [parts, outputs * kh * kw * channels]), [0]);
    const split = e.reshape(summed, [outputs / block, kh * kw, channels, block]);
    return e.reshape(e.transpose(split, [0, 3, 2, 1]), [outputs, channels, kh, kw]);
  });
  const plain = group > 1 ? e.concat(each, 0) : (each[0] as string);
  l.setPlain(dw, e.slice(e.slice(plain, 0, 0, o), 1, 0, per));
  return true;
}

/** Groups up to which each is a convolution of its own. */
const mostGroups = 8;

/** Every example and channel by itself, dy as its kernel, then summed over the examples. */
function depthwiseWeightGradient(l: BlockedLayout, { x, dy, dw, window }: WeightGradient): boolean {
  const { e, block } = l;
  const [n, , h, w] = l.dims(x) as [number, number, number, number];
  const [, o, oh, ow] = l.dims(dy) as [number, number, number, number];
  const full = l.channels(x);
  const image = e.reshape(l.blocked(x), [1, n * full, h, w]);
  const kernel = e.reshape(l.blocked(dy), [n * full, 1, oh, ow]);
  const [kh, kw] = window.kernel as [number, number];
  const swapped = { ...window, kernel: [oh, ow], strides: [1, 1], dilations: window.strides, group: n * full };
  const each = l.convolve([image, kernel, ''], swapped, [1, n * full, kh, kw]);
  const sum = e.sum(e.reshape(each, [n, full * kh * kw]), [0]);
  const split = e.transpose(e.reshape(sum, [full / block, kh * kw, block]), [0, 2, 1]);
  l.setPlain(dw, e.slice(e.reshape(split, [full, 1, kh, kw]), 0, 0, o));
  return true;
}
