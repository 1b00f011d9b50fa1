/** Geometry of sliding windows: convolutions and pools, per spatial axis. */

import type { Dims } from '../../ir/index.js';
import { intAttribute, intsAttribute, type Node, stringAttribute } from '../../ir/index.js';

export interface Window {
  kernel: readonly number[];
  strides: readonly number[];
  dilations: readonly number[];
  begin: readonly number[];
  /** Padding that the windows really reach, or the declared one where that is larger. */
  end: readonly number[];
  group: number;
}

/**
 * The window of a node that maps spatial shape `input` to `output`; `auto_pad` and `ceil_mode` become plain padding.
 */
export function windowOf(node: Node, kernel: Dims, input: Dims, output: Dims): Window {
  const ones = kernel.map(() => 1);
  const strides = intsAttribute(node, 'strides') ?? ones;
  const dilations = intsAttribute(node, 'dilations') ?? ones;
  const pads = intsAttribute(node, 'pads') ?? [...kernel, ...kernel].map(() => 0);
  const auto = stringAttribute(node, 'auto_pad', 'NOTSET');
  const begin: number[] = [];
  const end: number[] = [];
  kernel.forEach((k, i) => {
    const reach = ((output[i] as number) - 1) * (strides[i] as number) + (k - 1) * (dilations[i] as number) + 1;
    const total = Math.max(reach - (input[i] as number), 0);
    if (auto === 'SAME_UPPER' || auto === 'SAME_LOWER') {
      begin.push(auto === 'SAME_UPPER' ? Math.floor(total / 2) : Math.ceil(total / 2));
      end.push(total - (begin[i] as number));
    } else {
      const declared = auto === 'VALID' ? [0, 0] : [pads[i] as number, pads[i + kernel.length] as number];
      begin.push(declared[0] as number);
      end.push(Math.max(declared[1] as number, reach - (input[i] as number) - (declared[0] as number)));
    }
  });
  return { kernel, strides, dilations, begin, end, group: intAttribute(node, 'group', 1) };
}

export interface WindowAttributes {
  kernel_shape: number[];
  strides: number[];
  dilations: number[];
  pads: number[];
  group: number;
}

export function windowAttributes(w: Window): WindowAttributes {
  return {
    kernel_shape: [...w.kernel],
    strides: [...w.strides],
    dilations: [...w.dilations],
    pads: [...w.begin, ...w.end],
    group: w.group,
  };
}

/** One position, on each channel by itself when `group` is their number. */
export const unitWindow = (group: number): Window => ({
  kernel: [1, 1],
  strides: [1, 1],
  dilations: [1, 1],
  begin: [0, 0],
  end: [0, 0],
  group,
});

/** One kernel per channel, with weights (group, 1, ...). */
export function isDepthwise(group: number, weight: Dims): boolean {
  return group > 1 && weight[0] === group && weight[1] === 1;
}

/** Input positions that no window covers at the end of each axis. */
export function uncovered(w: Window, input: Dims, output: Dims): number[] {
  return w.kernel.map((k, i) => {
    const reach = ((output[i] as number) - 1) * (w.strides[i] as number) + (k - 1) * (w.dilations[i] as number) + 1;
    return (input[i] as number) + (w.begin[i] as number) + (w.end[i] as number) - reach;
  });
}
