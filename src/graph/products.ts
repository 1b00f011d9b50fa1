/** Multiply-adds of convolutions, matrix products and recurrent layers. */
import type { Engine } from '../engine/index.js';
import { type Graph, intAttribute, type Node, type ObservedValue, sizeOf, stringAttribute } from '../ir/index.js';
import { ancestors, linksOf } from './links.js';
import { observe } from './observe.js';
import { pixelDependent } from './pixel-dependent.js';
import { prune } from './prune.js';

const products = new Set(['Conv', 'FusedConv', 'ConvTranspose', 'Gemm', 'MatMul', 'Einsum', 'LSTM', 'GRU', 'RNN']);

/** Multiply-adds of one node for the whole observed batch; none for operators that are no products. */
export function multiplyAdds(node: Node, observed: ReadonlyMap<string, ObservedValue>): number {
  const dims = (i: number) => observed.get(node.inputs[i] ?? '')?.dims ?? [];
  const output = observed.get(node.outputs[0] ?? '')?.dims ?? [];
  switch (node.op) {
    case 'Conv':
    case 'FusedConv':
      return sizeOf(output) * sizeOf(dims(1).slice(1));
    case 'ConvTranspose':
      return sizeOf(dims(0)) * sizeOf(dims(1).slice(1));
    case 'Gemm': {
      const a = dims(0);
      return sizeOf(output) * (a[intAttribute(node, 'transA', 0) ? 0 : 1] ?? 0);
    }
    case 'MatMul':
      return sizeOf(output) * (dims(0).at(-1) ?? 0);
    case 'Einsum': {
      const [left = '', given] = stringAttribute(node, 'equation', '').replaceAll(' ', '').split('->');
      // Without an arrow the result has the letters that stand once.
      const result = given ?? [...left].filter((letter) => left.split(letter).length === 2).join('');
      const contracted = new Map<string, number>();
      left.split(',').forEach((term, i) => {
        const [before = '', after = ''] = term.split('...');
        [...before].forEach((letter, k) => contracted.set(letter, dims(i)[k] ?? 1));
        [...after].forEach((letter, k) => contracted.set(letter, dims(i)[k - after.length + dims(i).length] ?? 1));
      });
      return (
        sizeOf(output) * sizeOf([...contracted].flatMap(([letter, size]) => (result.includes(letter) ? [] : [size])))
      );
    }
    case 'LSTM':
    case 'GRU':
    case 'RNN': {
      // At each of steps x batch: every direction's products with the input and with the state.
      const [steps = 0, batch = 0] = dims(0);
      return steps * batch * (sizeOf(dims(1)) + sizeOf(dims(2)));
    }
    default:
      return 0;
  }
}

/** By constant: the products that it was computed from, with their multiply-adds in a run of one image. */
export type FoldedProducts = ReadonlyMap<string, ReadonlyMap<Node, number>>;

/**
 * Products of weights alone that `values` are computed from: a perceptron over relative positions, a convolution of Fourier
 * features.
 * @param image dims of one image.
 */
export async function foldedProductsOf(
  graph: Graph,
  engine: Engine,
  image: readonly number[],
  values: readonly string[],
): Promise<FoldedProducts> {
  const inputs = graph.inputs.map((input) => ({ ...input, shape: [1, ...image] }));
  const folded = prune({ ...graph, inputs, outputs: values.map((name) => ({ name })) });
  // What a shape is read from is no product of weights.
  const dependent = pixelDependent(folded);
  const isFolded = ({ op, outputs }: Node) => products.has(op) && !outputs.some((name) => dependent.has(name));
  if (!folded.nodes.some(isFolded)) return new Map();
  const [links, observed] = [linksOf(folded), await observe(folded, engine)];
  return new Map(
    values.map((name) => {
      const own = [...ancestors(links, name)].filter(isFolded);
      return [name, new Map(own.map((node) => [node, multiplyAdds(node, observed)]))];
    }),
  );
}
