/** Windows of convolutions and pools. */
import { intAttribute, intsAttribute, type Node, stringAttribute } from '../../../ir/index.js';
import type { Window } from '../window.js';
import { fail, show } from './op.js';

/** @param kernel sizes of the window @param space sizes of the image, as many */
export function windowOf(node: Node, kernel: readonly number[], space: readonly number[]): Window {
  const ones = kernel.map(() => 1);
  const strides = intsAttribute(node, 'strides') ?? ones;
  // A window of one element has no gaps.
  const dilations = (intsAttribute(node, 'dilations') ?? ones).map((d, i) => (kernel[i] === 1 ? 1 : d));
  const auto = stringAttribute(node, 'auto_pad', 'NOTSET');
  const isCeil = intAttribute(node, 'ceil_mode', 0) === 1;
  const given = intsAttribute(node, 'pads') ?? [...ones, ...ones].map(() => 0);
  const [before, after, declared, output]: [number[], number[], number[], number[]] = [[], [], [], []];
  kernel.forEach((k, i) => {
    const [size, stride] = [space[i] as number, strides[i] as number];
    const span = (k - 1) * (dilations[i] as number) + 1;
    let [begin, end] = [given[i] as number, given[i + kernel.length] as number];
    let out: number;
    if (auto.startsWith('SAME')) {
      out = Math.ceil(size / stride);
      const total = Math.max(0, (out - 1) * stride + span - size);
      begin = auto === 'SAME_UPPER' ? Math.floor(total / 2) : Math.ceil(total / 2);
      end = total - begin;
    } else {
      if (auto === 'VALID') [begin, end] = [0, 0];
      out = (isCeil ? Math.ceil : Math.floor)((size + begin + end - span) / stride) + 1;
      // No window lies in the border after the image alone.
      if (isCeil && (out - 1) * stride >= size + begin) out--;
    }
    if (out < 1) fail(`a window of ${show(kernel)} does not fit into ${show(space)}`);
    output.push(out);
    declared.push(end);
    before.push(begin);
    after.push(Math.max(end, (out - 1) * stride + span - size - begin));
  });
  return { kernel, strides, dilations, before, after, declared, output };
}

/** How many of a window's elements count, for each window along one axis. */
export function counts(w: Window, axis: number, size: number, includesBorder: boolean): number[] {
  const [begin, end] = [w.before[axis] as number, w.declared[axis] as number];
  const [low, high] = includesBorder ? [-begin, size + end] : [0, size];
  return Array.from({ length: w.output[axis] as number }, (_, o) => {
    const first = o * (w.strides[axis] as number) - begin;
    const all = Array.from({ length: w.kernel[axis] as number }, (_, i) => first + i * (w.dilations[axis] as number));
    return all.filter((at) => at >= low && at < high).length;
  });
}
