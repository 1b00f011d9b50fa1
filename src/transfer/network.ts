/** A network that is about to be trained: a graph from images to logits whose weights are its constants. */
import { Random, UserError } from '../base/index.js';
import {
  float32,
  type Graph,
  GraphBuilder,
  imageInput,
  initialWeight,
  subgraph,
  type Tap,
  type Tensor,
} from '../graph/index.js';

/** A network that is to be trained. */
export interface Network {
  /** Inference form; its only input is the float image. Dimensions stay as free as the file has them. */
  readonly graph: Graph;
  /** Value (batch, classes). */
  readonly logits: string;
  /** Value that the classifier reads. */
  readonly features: string;
  readonly classes: number;
  /** Constants that look like weights but are not: matrices that pool. They never learn. */
  readonly fixed?: ReadonlySet<string>;
}

export const headNames = { weight: 'head.weight', bias: 'head.bias', logits: 'logits' } as const;

/**
 * The network up to its features, with a new linear classifier on top: an old classifier is replaced, maps and tokens
 * are averaged. See addHead.
 * @param taps all taps of `graph`
 */
export function withHead(
  graph: Graph,
  taps: readonly Tap[],
  { classes, seed }: { classes: number; seed: number },
): Network {
  const features = taps.find((tap) => tap.alias === 'features');
  const tap = features ?? taps.find((t) => t.name === graph.outputs[0]?.name);
  if (!tap) {
    throw new UserError('the model has neither pooled features nor a float output to put a classifier on');
  }
  const body = { ...subgraph(graph, [imageInput(graph)], [tap.name]), outputs: [] };
  const b = new GraphBuilder(body, 'head');
  const [value, width] = averaged(b, tap);
  const logits = addHead(b, value, { classes, width, seed });
  return { graph: b.build(), logits, features: value, classes };
}

/** (batch, channels) of a tap, and how many channels: the mean over its places, class tokens included. */
function averaged(b: GraphBuilder, { name, kind, layout: { axes }, shape }: Tap): [value: string, width: number] {
  const sizes = shape.toSpliced(axes.indexOf('N'), 0, -1);
  const channel = axes.indexOf('C');
  const width = sizes[channel];
  if (kind === 'heads' || kind === 'unknown' || width === undefined) {
    throw new UserError(
      `the network ends in '${name}', of which axes are channels is not known: cut it before with --taps`,
    );
  }
  if (axes === 'NCHW') return [b.op('Flatten', [b.op('GlobalAveragePool', [name])], { axis: 1 }), width];
  const places = sizes.flatMap((_, i) => (axes[i] === 'N' || axes[i] === 'C' ? [] : [i]));
  const value = places.length > 0 ? b.mean(name, places) : name;
  return [axes.indexOf('N') < channel ? value : b.transpose(value, [1, 0]), width];
}

/** What the weights of a new head start from. */
export const headWeight = (dims: readonly number[], seed: number): Tensor =>
  initialWeight('gaussian', dims, new Random(seed, 'init', 'head'), { deviation: 0.01 });

interface HeadOptions {
  readonly classes: number;
  /** Features that it reads. */
  readonly width: number;
  readonly seed: number;
  /** (classes, width), where it does not start at random. */
  readonly weight?: Float32Array;
  readonly bias?: Float32Array;
}

/**
 * Adds a linear classifier on (batch, width) features and returns its output `logits`. Its weights are `head.weight`
 * (classes, width), normal of deviation .01 so that the first steps do not shake the backbone, and `head.bias`, zero.
 */
export function addHead(
  b: GraphBuilder,
  features: string,
  { classes, width, seed, weight, bias }: HeadOptions,
): string {
  const start = weight ? float32([classes, width], weight) : headWeight([classes, width], seed);
  const names = [
    b.constant(start, headNames.weight),
    b.constant(float32([classes], bias ?? new Float32Array(classes)), headNames.bias),
  ];
  const logits = b.op('Gemm', [features, ...names], { alpha: 1, beta: 1, transB: 1 }, headNames.logits);
  return b.output(logits, logits, 'float32', [null, classes]);
}
