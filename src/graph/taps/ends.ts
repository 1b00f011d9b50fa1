/** Where a network ends: the classifier's output before any softmax, and the pooled features that it reads. */
import { ancestors } from '../links.js';
import type { StaticGraph } from '../specialise.js';

export interface Ends {
  readonly features?: string | undefined;
  readonly logits?: string | undefined;
}

/**
 * The first output with a classifier behind it decides. Heads that are averaged are one classifier; its features are what
 * all of them read. A network without a classifier has the first vector among its outputs for features.
 */
export function endsOf(network: StaticGraph): Ends {
  const outputs = network.graph.outputs.map((o) => o.name).filter((name) => isVector(network, name));
  const declared = outputs.find((name) => /feature|embed|pool/i.test(name));
  for (const output of outputs) {
    if (output === declared) continue;
    const path = classifierOf(network, output);
    if (path) return { features: declared ?? path.features, logits: path.logits };
  }
  return { features: declared ?? outputs[0] };
}

/** One number a channel: (N, C), or a map or tokens of one place. */
function isVector(network: StaticGraph, name: string): boolean {
  const layout = network.layout(name);
  if (layout?.kind === 'vector') return true;
  const [rows, columns] = layout?.grid ?? [0, 0];
  return (layout?.kind === 'map' && rows * columns === 1) || false;
}

const layers = new Set(['Gemm', 'MatMul', 'Conv']);
/** What may stand between the classifier and the end, or between its product and its bias. */
const passed = new Set([
  'Add',
  'Mul',
  'Div',
  'Relu',
  'Clip',
  'Identity',
  'GlobalAveragePool',
  'AveragePool',
  'ReduceMean',
  'Reshape',
  'Flatten',
  'Squeeze',
  'Unsqueeze',
  'Transpose',
]);
const squashing = new Set(['Softmax', 'LogSoftmax', 'Sigmoid']);

/** Walks back from an output over softmax, bias, pooling and shape changes to the last learned layer. */
function classifierOf(network: StaticGraph, output: string): { features: string; logits: string } | undefined {
  const { links } = network;
  let value = output;
  let logits = output;
  for (;;) {
    const node = links.producer.get(value);
    const inputs = node?.inputs.filter((name) => network.axes.has(name)) ?? [];
    const [input, second] = inputs;
    if (!node || !input) return undefined;
    if (second !== undefined) {
      const features =
        node.op === 'Add' || node.op === 'Mean' || node.op === 'Sum' ? sharedFeatures(network, inputs) : undefined;
      return features === undefined ? undefined : { features, logits };
    }
    if (layers.has(node.op)) return { features: beforeDropout(network, input), logits };
    if (squashing.has(node.op)) logits = input;
    else if (!passed.has(node.op)) return undefined;
    value = input;
  }
}

function beforeDropout({ links }: StaticGraph, value: string): string {
  const before = links.producer.get(value);
  return before?.op === 'Dropout' ? (before.inputs[0] as string) : value;
}

/** The last value that the features of all heads are computed from, or are. */
function sharedFeatures(network: StaticGraph, heads: readonly string[]): string | undefined {
  const { links } = network;
  const found = heads.map((head) => classifierOf(network, head)?.features);
  const [first, ...others] = found;
  if (first === undefined || others.includes(undefined)) return undefined;
  if (others.every((name) => name === first)) return first;
  const below = (found as string[]).map((name) => new Set([...ancestors(links, name)].flatMap((n) => n.outputs)));
  const shared = network.graph.nodes.filter((n) => below.every((values) => values.has(n.outputs[0] ?? '')));
  return shared.at(-1)?.outputs[0];
}
