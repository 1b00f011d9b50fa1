/** Einsum of one or two values, as one matrix product. */
import { sizeOf, type Tensor } from '../../../ir/index.js';
import type { Device, Tf } from '../device.js';
import { places, stridesOf } from '../host.js';
import { maths } from '../maths.js';
import { fail, show } from './op.js';
import { product } from './product.js';

export interface Equation {
  readonly terms: readonly (readonly string[])[];
  readonly result: readonly string[];
}

/** @throws Refusal for dots, repeated letters within a term, and more than two terms */
export function equationOf(text: string): Equation {
  const [left = '', right] = text.replaceAll(' ', '').split('->');
  const terms = left.split(',').map((term) => [...term]);
  const all = terms.flat();
  const once = [...new Set(all)].filter((letter) => all.indexOf(letter) === all.lastIndexOf(letter)).sort();
  const result = right === undefined ? once : [...right];
  const isPlain = [...terms, result].every((t) => !t.includes('.') && new Set(t).size === t.length);
  if (!isPlain || terms.length > 2 || result.some((letter) => !all.includes(letter))) {
    fail(`TensorFlow.js engine does not take the equation '${text}'`);
  }
  return { terms, result };
}

/** Sizes of the letters. */
function sizesOf({ terms }: Equation, dims: readonly (readonly number[])[]): Map<string, number> {
  const sizes = new Map<string, number>();
  terms.forEach((term, t) => {
    const own = dims[t] as readonly number[];
    if (own.length !== term.length) fail(`${term.join('')} does not name the axes of ${show(own)}`);
    term.forEach((letter, i) => {
      const known = sizes.get(letter) ?? (own[i] as number);
      if (known !== own[i]) fail(`${letter} is ${known} and ${own[i]}`);
      sizes.set(letter, known);
    });
  });
  return sizes;
}

export function einsum(device: Device, equation: Equation, tensors: readonly Tf[]): Tf {
  const { terms, result } = equation;
  const sizes = sizesOf(
    equation,
    tensors.map((t) => t.shape),
  );
  const m = maths(device);
  /** Sums over letters that only this term has. */
  const trimmed = terms.map((term, t) => {
    const others = [...result, ...terms.filter((_, i) => i !== t).flat()];
    const gone = [...term.keys()].filter((i) => !others.includes(term[i] as string));
    const tensor = tensors[t] as Tf;
    return {
      letters: term.filter((letter) => others.includes(letter)),
      tensor: gone.length ? m.sum(tensor, gone, false) : tensor,
    };
  });
  const ordered = (x: Tf, from: readonly string[], to: readonly string[]) =>
    to.every((letter, i) => letter === from[i])
      ? x
      : device.transpose(
          x,
          to.map((letter) => from.indexOf(letter)),
        );
  const [a, b] = trimmed as [(typeof trimmed)[number], (typeof trimmed)[number]?];
  if (!b)
    return device.reshape(
      ordered(a.tensor, a.letters, result),
      result.map((letter) => sizes.get(letter) as number),
    );
  const isShared = (letter: string) => a.letters.includes(letter) && b.letters.includes(letter);
  const stack = result.filter(isShared);
  const inner = a.letters.filter((letter) => isShared(letter) && !result.includes(letter));
  const rows = a.letters.filter((letter) => !isShared(letter));
  const columns = b.letters.filter((letter) => !isShared(letter));
  const size = (letters: readonly string[]) => sizeOf(letters.map((letter) => sizes.get(letter) as number));
  const left = device.reshape(ordered(a.tensor, a.letters, [...stack, ...rows, ...inner]), [
    size(stack),
    size(rows),
    size(inner),
  ]);
  const right = device.reshape(ordered(b.tensor, b.letters, [...stack, ...inner, ...columns]), [
    size(stack),
    size(inner),
    size(columns),
  ]);
  const letters = [...stack, ...rows, ...columns];
  const whole = device.reshape(
    product(device, left, right),
    letters.map((letter) => sizes.get(letter) as number),
  );
  return ordered(whole, letters, result);
}

/** In double precision, in the caller's memory. */
export function hostEinsum(equation: Equation, tensors: readonly Tensor[]): Tensor {
  const { terms, result } = equation;
  const sizes = sizesOf(
    equation,
    tensors.map((t) => t.dims),
  );
  const rest = [...sizes.keys()].filter((letter) => !result.includes(letter));
  const dims = (letters: readonly string[]) => letters.map((letter) => sizes.get(letter) as number);
  /** Places of a term's elements as these letters run. */
  const run = (letters: readonly string[], t: number) => {
    const term = terms[t] as readonly string[];
    const strides = stridesOf((tensors[t] as Tensor).dims);
    return places(
      dims(letters),
      letters.map((letter) => strides[term.indexOf(letter)] ?? 0),
    );
  };
  const [outer, inner] = [terms.map((_, t) => run(result, t)), terms.map((_, t) => run(rest, t))];
  const data = Float64Array.from({ length: sizeOf(dims(result)) }, (_, o) => {
    let total = 0;
    for (let i = 0; i < (inner[0] as Int32Array).length; i++) {
      let value = 1;
      for (let t = 0; t < terms.length; t++) {
        value *= (tensors[t] as Tensor).data[(outer[t]?.[o] as number) + (inner[t]?.[i] as number)] as number;
      }
      total += value;
    }
    return total;
  });
  return { type: 'float64', dims: dims(result), data };
}
