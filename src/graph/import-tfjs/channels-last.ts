/**
 * Writes a network that thinks in images (N, H, W, C) as a graph whose images are (N, C, H, W). Weights are rearranged
 * here, once; values are rearranged only where an image becomes a vector of pixels or the other way round.
 */
import { UserError } from '../../base/index.js';
import { float32, GraphBuilder, permutedTensor, type Tensor } from '../../ir/index.js';

/** A value and its dims as the source says them; null where they are not known. Four mean an image, (N, H, W, C). */
export interface Val {
  readonly name: string;
  readonly dims: readonly (number | null)[];
  /** Where its elements are known. */
  readonly constant?: Tensor | undefined;
}

export interface WindowOptions {
  readonly kernel: readonly [number, number];
  readonly strides: readonly [number, number];
  readonly dilations?: readonly [number, number];
  /** 'same' puts what is odd at the end. */
  readonly padding: 'same' | 'valid' | readonly [readonly [number, number], readonly [number, number]];
}

export class ChannelsLast {
  readonly b = new GraphBuilder();

  constructor(private readonly path: string) {}

  /** @throws UserError that names the file and the layer */
  fail(layer: string, what: string): never {
    throw new UserError(`${this.path}: ${layer} ${what}`);
  }

  input(name: string, dims: readonly (number | null)[]): Val {
    if (dims.length !== 4) this.fail(`input '${name}'`, `is of ${dims.length} dimensions; toehold takes images`);
    const [, h = null, w = null, c = null] = dims;
    this.b.input(name, 'float32', ['N', c, h ?? 'H', w ?? 'W']);
    return { name, dims: [null, h, w, c] };
  }

  /** A value under a name that the user knows. */
  named(op: string, inputs: readonly string[], attributes: object, name: string): string {
    return this.b.op<string>(op, inputs, attributes as never, name);
  }

  #window(x: Val, { kernel, strides, dilations = [1, 1], padding }: WindowOptions) {
    const base = { kernel_shape: kernel, strides };
    const size = (i: number) => x.dims[i + 1] ?? null;
    if (padding === 'valid') return { attributes: base, out: [0, 1].map((i) => slid(size(i), i, 0)) };
    if (padding === 'same') {
      const out = [0, 1].map((i) =>
        size(i) === null ? null : Math.ceil((size(i) as number) / (strides[i] as number)),
      );
      const totals = [0, 1].map((i) => {
        const span = ((kernel[i] as number) - 1) * (dilations[i] as number) + 1;
        if (strides[i] === 1) return span - 1;
        const known = size(i);
        return known === null ? null : Math.max(0, ((out[i] as number) - 1) * (strides[i] as number) + span - known);
      });
      if (totals.some((t) => t === null)) return { attributes: { ...base, auto_pad: 'SAME_UPPER' }, out };
      const before = totals.map((t) => Math.floor((t as number) / 2));
      const after = totals.map((t, i) => (t as number) - (before[i] as number));
      return { attributes: { ...base, pads: [...before, ...after] }, out };
    }
    const [[top, bottom], [left, right]] = padding;
    const out = [slid(size(0), 0, top + bottom), slid(size(1), 1, left + right)];
    return { attributes: { ...base, pads: [top, left, bottom, right] }, out };

    function slid(from: number | null, i: number, border: number): number | null {
      if (from === null) return null;
      const span = ((kernel[i] as number) - 1) * (dilations[i] as number) + 1;
      return Math.floor((from + border - span) / (strides[i] as number)) + 1;
    }
  }

  #channels(x: Val, layer: string): number {
    return x.dims[3] ?? this.fail(layer, 'works on channels whose number is not known');
  }

  /** @param kernel (rows, columns, inputs, outputs); `depthwise`: (rows, columns, inputs, outputs of each) */
  conv(
    x: Val,
    kernel: Tensor,
    options: WindowOptions & { depthwise?: boolean; bias?: Tensor | undefined },
    name: string,
  ): Val {
    if (x.dims.length !== 4 || kernel.dims.length !== 4)
      this.fail(`layer '${name}'`, 'convolves something that is no image');
    const channels = this.#channels(x, `layer '${name}'`);
    const [rows, columns, inputs, outputs] = kernel.dims as [number, number, number, number];
    const { depthwise = false, bias, dilations = [1, 1] } = options;
    const group = depthwise ? channels : channels / inputs;
    if ((depthwise && inputs !== channels) || !Number.isInteger(group) || outputs % (depthwise ? 1 : group) !== 0) {
      this.fail(`layer '${name}'`, `has a filter for ${inputs} channels and gets ${channels}`);
    }
    const turned = permutedTensor(kernel, depthwise ? [2, 3, 0, 1] : [3, 2, 0, 1]);
    const weight = depthwise ? { ...turned, dims: [inputs * outputs, 1, rows, columns] } : turned;
    const { attributes, out } = this.#window(x, options);
    const given = [
      x.name,
      this.b.constant(weight, `${name}.weight`),
      ...(bias ? [this.b.constant(bias, `${name}.bias`)] : []),
    ];
    const all = { ...attributes, dilations, group };
    return { name: this.named('Conv', given, all, name), dims: [null, ...out, depthwise ? inputs * outputs : outputs] };
  }

  pool(x: Val, kind: 'MaxPool' | 'AveragePool', options: WindowOptions, name: string): Val {
    if (x.dims.length !== 4) this.fail(`layer '${name}'`, 'pools something that is no image');
    const { attributes, out } = this.#window(x, options);
    return { name: this.named(kind, [x.name], attributes, name), dims: [null, ...out, x.dims[3] ?? null] };
  }

  /** Over rows and columns. */
  globalPool(x: Val, kind: 'GlobalAveragePool' | 'GlobalMaxPool', keep: boolean, name: string): Val {
    if (x.dims.length !== 4) this.fail(`layer '${name}'`, 'pools something that is no image');
    const c = x.dims[3] ?? null;
    if (keep) return { name: this.named(kind, [x.name], {}, name), dims: [null, 1, 1, c] };
    const pooled = this.b.op<string>(kind, [x.name], {}, `${name}/pool`);
    return { name: this.named('Flatten', [pooled], { axis: 1 }, name), dims: [null, c] };
  }

  norm(
    x: Val,
    [scale, shift, mean, variance]: readonly [Tensor, Tensor, Tensor, Tensor],
    epsilon: number,
    momentum: number,
    name: string,
  ): Val {
    const vectors = { scale, bias: shift, mean, variance };
    const names = Object.entries(vectors).map(([key, tensor]) => this.b.constant(tensor, `${name}.${key}`));
    return { name: this.named('BatchNormalization', [x.name, ...names], { epsilon, momentum }, name), dims: x.dims };
  }

  unary(op: string, x: Val, name: string, attributes: object = {}): Val {
    return { name: this.named(op, [x.name], attributes, name), dims: x.dims };
  }

  clip(x: Val, low: number, high: number | undefined, name: string): Val {
    const bounds = [this.b.scalar(low), ...(high === undefined ? [] : [this.b.scalar(high)])];
    return { name: this.named('Clip', [x.name, ...bounds], {}, name), dims: x.dims };
  }

  /** Along the channels, which of an image are its second axis here. */
  softmax(x: Val, name: string): Val {
    return this.unary('Softmax', x, name, { axis: x.dims.length === 4 ? 1 : -1 });
  }

  /** A constant as it joins a value of this many dims. */
  beside(tensor: Tensor, rank: number, hint: string): string {
    const dims = [...Array<number>(Math.max(0, rank - tensor.dims.length)).fill(1), ...tensor.dims];
    if (rank !== 4 || tensor.dims.length === 0) return this.b.constant(tensor, hint);
    const whole = float32(dims, tensor.data as Float32Array);
    const turned = permutedTensor(whole, [0, 3, 1, 2]);
    // One dimension fewer joins just as well, and is what channels look like.
    return this.b.constant(turned.dims[0] === 1 ? { ...turned, dims: turned.dims.slice(1) } : turned, hint);
  }

  binary(op: string, a: Val, b: Val, name: string): Val {
    const rank = Math.max(a.dims.length, b.dims.length);
    const side = (v: Val) => {
      if (v.constant) return this.beside(v.constant, rank, `${name}.const`);
      if (v.dims.length !== rank && v.dims.length > 1)
        this.fail(`layer '${name}'`, 'joins an image with something else');
      return v.name;
    };
    const dims = Array.from({ length: rank }, (_, i) => {
      const [x, y] = [a, b].map((v) => v.dims[i - rank + v.dims.length]) as [
        number | null | undefined,
        number | null | undefined,
      ];
      return x === 1 || x === undefined
        ? (y ?? (y === undefined ? (x ?? null) : null))
        : y === 1 || y === undefined
          ? x
          : (x ?? y);
    });
    return { name: this.named(op, [side(a), side(b)], {}, name), dims };
  }

  concat(values: readonly Val[], axis: number, name: string): Val {
    const [first] = values as [Val];
    const rank = first.dims.length;
    const at = axis < 0 ? axis + rank : axis;
    const sizes = values.map((v) => v.dims[at] ?? null);
    const total = sizes.some((s) => s === null) ? null : (sizes as number[]).reduce((a, b) => a + b, 0);
    const here = rank === 4 ? ([0, 2, 3, 1][at] as number) : at;
    const names = values.map((v) => (v.constant ? this.beside(v.constant, rank, `${name}.const`) : v.name));
    return {
      name: this.named('Concat', names, { axis: here }, name),
      dims: first.dims.map((d, i) => (i === at ? total : d)),
    };
  }

  pad(x: Val, widths: readonly (readonly [number, number])[], value: number, name: string): Val {
    const rank = x.dims.length;
    const order = rank === 4 ? [0, 3, 1, 2] : [...widths.keys()];
    const pads = [...order.map((i) => widths[i]?.[0] ?? 0), ...order.map((i) => widths[i]?.[1] ?? 0)];
    const inputs = [x.name, this.b.ints(pads), ...(value === 0 ? [] : [this.b.scalar(value)])];
    const dims = x.dims.map((d, i) => (d === null ? null : d + (widths[i]?.[0] ?? 0) + (widths[i]?.[1] ?? 0)));
    return { name: this.named('Pad', inputs, {}, name), dims };
  }

  /** Elements from `begin` before `end` along each axis, by steps; negative ones count from the end, null is all of an axis. */
  slice(x: Val, ranges: readonly (readonly [begin: number, end: number, step: number] | null)[], name: string): Val {
    // Rows, columns and channels of the source are axes 2, 3 and 1 here.
    const order = x.dims.length === 4 ? [0, 2, 3, 1] : [...ranges.keys()];
    const given = ranges.flatMap((range, i) => (range ? [{ axis: order[i] as number, range }] : []));
    const part = (i: 0 | 1 | 2) => this.b.ints(given.map(({ range }) => range[i]));
    const axes = this.b.ints(given.map(({ axis }) => axis));
    const dims = x.dims.map((d, i) => {
      const range = ranges[i];
      if (!range) return d;
      if (d === null) return null;
      const within = (at: number) => Math.min(d, Math.max(0, at < 0 ? at + d : at));
      return Math.max(0, Math.ceil((within(range[1]) - within(range[0])) / range[2]));
    });
    return { name: this.named('Slice', [x.name, part(0), part(1), axes, part(2)], {}, name), dims };
  }

  /** Elements in the source's order under other dims; the first stays the batch. */
  reshape(x: Val, dims: readonly (number | null)[], name: string): Val {
    const isPoint = (d: readonly (number | null)[]) => d[1] === 1 && d[2] === 1;
    const flat = x.dims.length === 4 && !isPoint(x.dims) ? this.b.transpose(x.name, [0, 2, 3, 1]) : x.name;
    const toImage = dims.length === 4;
    const target = toImage && isPoint(dims) ? [null, dims[3] ?? null, 1, 1] : dims;
    const shape = target.map((d, i) => (i === 0 ? 0 : (d ?? -1)));
    if (shape.filter((d) => d < 0).length > 1) this.fail(`layer '${name}'`, 'gives a shape that is not known');
    if (!toImage || isPoint(dims)) return { name: this.b.reshape(flat, shape, name), dims };
    const wide = this.b.reshape(flat, shape);
    return { name: this.b.transpose(wide, [0, 3, 1, 2], name), dims };
  }

  /** x kernel (+ bias) along the last axis. @param kernel (inputs, outputs) */
  dense(x: Val, kernel: Tensor, bias: Tensor | undefined, name: string): Val {
    const [inputs = 0, outputs = 0] = kernel.dims;
    if (kernel.dims.length !== 2 || (x.dims.at(-1) ?? inputs) !== inputs) {
      this.fail(`layer '${name}'`, `has weights for ${inputs} numbers and gets ${x.dims.at(-1)}`);
    }
    const dims = [...x.dims.slice(0, -1), outputs];
    if (x.dims.length === 4) {
      const filter = { ...kernel, dims: [1, 1, inputs, outputs] };
      return this.conv(x, filter, { kernel: [1, 1], strides: [1, 1], padding: 'valid', bias }, name);
    }
    if (x.dims.length === 2) {
      const weight = this.b.constant(permutedTensor(kernel, [1, 0]), `${name}.weight`);
      const given = [x.name, weight, ...(bias ? [this.b.constant(bias, `${name}.bias`)] : [])];
      return { name: this.named('Gemm', given, { transB: 1 }, name), dims };
    }
    const weight = this.b.constant(kernel, `${name}.weight`);
    if (!bias) return { name: this.named('MatMul', [x.name, weight], {}, name), dims };
    return { name: this.b.add(this.b.matmul(x.name, weight), this.b.constant(bias, `${name}.bias`), name), dims };
  }

  /** An image as many times as high and wide. */
  upsample(x: Val, factors: readonly [number, number], mode: string, name: string): Val {
    const scales = this.b.constant(float32([4], [1, 1, ...factors]));
    const attributes = {
      mode,
      coordinate_transformation_mode: mode === 'nearest' ? 'asymmetric' : 'half_pixel',
      nearest_mode: 'floor',
    };
    const [, h = null, w = null, c = null] = x.dims;
    const dims = [null, h === null ? null : h * factors[0], w === null ? null : w * factors[1], c];
    return { name: this.named('Resize', [x.name, '', scales], attributes, name), dims };
  }
}
