/** Convolutions and their gradients as blocked convolutions. See blocked.ts for the layout. */
import { sizeOf } from '../../ir/index.js';
import type { Lowering } from './blocked.js';
import { blockedDomain } from './names.js';
import { uncovered, type Window } from './window.js';

const roundUp = (n: number, block: number) => Math.ceil(n / block) * block;
const isDepthwise = (l: Lowering, w: string, group: number) =>
  group > 1 && l.dims(w)[0] === group && l.dims(w)[1] === 1;

/** (O, I, K) plain weights -> blocked (O/b, I/b, K, b of I, b of O), or (O/b, I, K, b of O) for images and depthwise. */
function blockedKernel(l: Lowering, plain: string, images: boolean): string {
  const { e, block } = l;
  const [o, i, ...kernel] = e.dims(plain) as [number, number, ...number[]];
  const size = sizeOf(kernel);
  const [oFull, iFull] = [roundUp(o, block), images ? i : roundUp(i, block)];
  const full = e.pad(plain, [0, 0, ...kernel.map(() => 0)], [oFull - o, iFull - i, ...kernel.map(() => 0)]);
  const split = images ? [oFull / block, block, i, size] : [oFull / block, block, iFull / block, block, size];
  const perm = images ? [0, 2, 3, 1] : [0, 2, 4, 3, 1];
  return e.reshape(e.transpose(e.reshape(full, split), perm), [oFull, iFull, ...kernel]);
}

interface Forward {
  x: string;
  w: string;
  bias: string;
  y: string;
  window: Window;
}

export function forward(l: Lowering, { x, w, bias, y, window }: Forward): boolean {
  const [o, i] = l.dims(w) as [number, number];
  const depthwise = isDepthwise(l, w, window.group);
  const images = !depthwise && i < l.block && !l.isBlocked(x);
  if (!depthwise && window.group > 1 && (i % l.block !== 0 || (o / window.group) % l.block !== 0)) return false;
  const kernel = l.once(`kernel ${w}`, () => blockedKernel(l, l.plain(w), images || depthwise));
  const group = depthwise ? roundUp(window.group, l.block) : window.group;
  const shift = bias ? l.vector(bias, [1]) : '';
  l.postpone(y, [images ? l.plain(x) : l.blocked(x), kernel, shift], { ...window, group });
  return true;
}

interface InputGradient {
  dy: string;
  w: string;
  dx: string;
  window: Window;
}

/**
 * Along an axis of stride s, position s q + phase of dx is the sum over m of dy[q + m] w[phase + pad - s m]. For all
 * phases together m runs over a common range, so that one convolution of dy gives every phase as a channel.
 */
interface Phases {
  /** First m and number of them. */
  low: number;
  taps: number;
  /** Positions per phase. */
  count: number;
  end: number;
}

function phasesOf(kernel: number, stride: number, pad: number, size: number, out: number): Phases {
  const low = Math.ceil((pad - kernel + 1) / stride);
  const taps = Math.floor((stride - 1 + pad) / stride) - low + 1;
  const count = size / stride;
  return { low, taps, count, end: count - out + taps - 1 + low };
}

export function inputGradient(l: Lowering, { dy, w, dx, window }: InputGradient): boolean {
  const { e, block } = l;
  const [n, , h, wd] = l.dims(dx) as [number, number, number, number];
  const [, , oh, ow] = l.dims(dy) as [number, number, number, number];
  const [kh, kw] = window.kernel as [number, number];
  const [sh, sw] = window.strides as [number, number];
  if (window.dilations.some((d) => d !== 1) || h % sh !== 0 || wd % sw !== 0) return false;
  const rows = phasesOf(kh, sh, window.begin[0] as number, h, oh);
  const columns = phasesOf(kw, sw, window.begin[1] as number, wd, ow);
  if (rows.low > 0 || columns.low > 0 || rows.end < 0 || columns.end < 0) return false;
  const [o, i] = l.dims(w) as [number, number];
  const depthwise = isDepthwise(l, w, window.group);
  const g = depthwise ? 1 : window.group;
  if (g > 1 && (i % block !== 0 || (o / g) % block !== 0)) return false;
  const phases = sh * sw;
  const taps = rows.taps * columns.taps;
  // Which weight each tap of each phase is; kernel size kh kw stands for none.
  const table: number[] = [];
  for (let p = 0; p < sh; p++) {
    for (let q = 0; q < sw; q++) {
      for (let a = 0; a < rows.taps; a++) {
        for (let b = 0; b < columns.taps; b++) {
          const r = p + (window.begin[0] as number) - sh * (rows.low + a);
          const c = q + (window.begin[1] as number) - sw * (columns.low + b);
          table.push(r >= 0 && r < kh && c >= 0 && c < kw ? r * kw + c : kh * kw);
        }
      }
    }
  }
  const whole = table.includes(kh * kw);
  const flat = e.reshape(l.plain(w), [o, i, kh * kw]);
  const source = whole ? e.pad(flat, [0, 0, 0], [0, 0, 1]) : flat;
  const identity = table.length === kh * kw && table.every((t, k) => t === k);
  const picked = identity ? source : e.op('Gather', [source, e.ints(table)], [o, i, phases * taps], { axis: 2 });
  const space = {
    kernel: [rows.taps, columns.taps],
    strides: [1, 1],
    dilations: [1, 1],
    begin: [-rows.low, -columns.low],
    end: [rows.end, columns.end],
  };
  const full = l.channels(dx);
  const outDims = (channels: number) => [n, channels, rows.count, columns.count];
  let parts: string;
  if (depthwise) {
    const each = Array.from({ length: phases }, (_, p) => {
      const mine = e.slice(picked, 2, p * taps, (p + 1) * taps);
      const kernel = blockedKernel(l, e.reshape(mine, [o, 1, rows.taps, columns.taps]), true);
      const part: Window = { ...space, group: full };
      if (phases === 1) {
        l.postpone(dx, [l.blocked(dy), kernel, ''], part);
        return '';
      }
      return l.convolve([l.blocked(dy), kernel, ''], part, outDims(full));
    });
    if (phases === 1) return true;
    const shape = [n, 1, full / block, rows.count, columns.count, block];
    parts = e.concat(
      each.map((v) => e.reshape(v, shape)),
      1,
    );
  } else {
    // (g, O/g, I, phases, taps) -> (g, phases, I, O/g, taps): output channels are phases of input channels.
    const split = e.reshape(picked, [g, o / g, i, phases, taps]);
    const iFull = roundUp(i, block);
    const even = e.pad(split, [0, 0, 0, 0, 0], [0, 0, iFull - i, 0, 0]);
    const turned = e.transpose(even, [0, 3, 2, 1, 4]);
    const kernel = blockedKernel(l, e.reshape(turned, [g * phases * iFull, o / g, rows.taps, columns.taps]), false);
    const part: Window = { ...space, group: g };
    if (phases === 1) {
      l.postpone(dx, [l.blocked(dy), kernel, ''], part);
      return true;
    }
    const all = l.convolve([l.blocked(dy), kernel, ''], part, outDims(g * phases * iFull));
    if (g === 1) parts = e.reshape(all, [n, phases, full / block, rows.count, columns.count, block]);
    else {
      const grouped = e.reshape(all, [n, g, phases, iFull / block, rows.count * columns.count * block]);
      const shape = [n, phases, full / block, rows.count, columns.count, block];
      parts = e.reshape(e.transpose(grouped, [0, 2, 1, 3, 4]), shape);
    }
  }
  // Interleave the phases.
  const apart = e.reshape(parts, [n, sh, sw, full / block, rows.count, columns.count, block]);
  l.setBlocked(dx, e.reshape(e.transpose(apart, [0, 3, 4, 1, 5, 2, 6]), [n, full, h, wd]));
  return true;
}

interface WeightGradient {
  x: string;
  dy: string;
  dw: string;
  window: Window;
}

/** (N, C, H, W) -> (N/b, H, W, C, b of N), the lanes being examples. */
function batchLanes(l: Lowering, x: string): string {
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
    const lanes = e.op('ReorderInput', [flat], [1, n, full * h * w, 1], {}, blockedDomain);
    const tiles = e.reshape(lanes, [n / block, full / block, h * w, block * block]);
    const image = e.reshape(e.transpose(tiles, [0, 2, 1, 3]), [n / block, h, w, full, block]);
    return image;
  });
}

export function weightGradient(l: Lowering, { x, dy, dw, window }: WeightGradient): boolean {
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
  if (n % block !== 0 || group > 1) return false;
  const blockedDy = l.blocked(dy);
  const oFull = roundUp(o, block);
  // Examples in parts of their own, whose results are added, so that all threads have work.
  const parts = n % (2 * block) === 0 ? 2 : 1;
  const m = n / parts / block;
  const lanes = batchLanes(l, x);
  const channels = e.dims(lanes)[3] as number;
  // Crop what no window covers, pad the columns; the convolution pads the rows by itself.
  const [bottom, right] = end as [number, number];
  const columns = e.pad(lanes, [0, 0, window.begin[1] as number, 0, 0], [0, Math.min(bottom, 0), right, 0, 0]);
  const [, height, width] = e.dims(columns) as [number, number, number];
  const image = e.reshape(columns, [1, n, height, width * channels]);
  const turned = e.transpose(
    e.reshape(blockedDy, [parts, m, block, oFull / block, oh * ow, block]),
    [0, 3, 1, 4, 2, 5],
  );
  const kernel = e.reshape(turned, [parts * oFull, n / parts, oh, ow]);
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
    [1, parts * oFull, kh, kw * channels],
  );
  // (parts, O/b, kh, kw, C, b) -> (O, C, kh, kw).
  const summed = e.sum(e.reshape(result, [parts, oFull * kh * kw * channels]), [0]);
  const split = e.reshape(summed, [oFull / block, kh * kw, channels, block]);
  const plain = e.reshape(e.transpose(split, [0, 3, 2, 1]), [oFull, channels, kh, kw]);
  l.setPlain(dw, e.slice(e.slice(plain, 0, 0, o), 1, 0, per));
  return true;
}

/** Every example and channel by itself, dy as its kernel, then summed over the examples. */
function depthwiseWeightGradient(l: Lowering, { x, dy, dw, window }: WeightGradient): boolean {
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
