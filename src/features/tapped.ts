/**
 * The network that the extraction pass runs: images in, the pooled features of every tap out.
 *
 * Average pooling commutes with what is linear over channels: 1 x 1 convolutions, inference-form batch norms, biases,
 * products with constant matrices and residual sums. A tap behind such a step is therefore computed from the pooled
 * value before it, a vector, instead of by a second pass over its map.
 */
import {
  type Graph,
  GraphBuilder,
  intAttribute,
  intsAttribute,
  prune,
  type StaticGraph,
  sizeOf,
  type Tap,
} from '../graph/index.js';
import {
  addPooling,
  cellsFirst,
  isMean,
  type PlannedPool,
  type PoolableValue,
  type PooledPiece,
  type PoolItem,
  planPools,
} from './pooling.js';

/** A tap with what its pooling makes of it. */
export interface PooledTap extends Tap {
  /** Features of the tap: the sum over its pieces. */
  readonly features: number;
  readonly pieces: readonly PooledPiece[];
}

/** Sizes of the taps under a pooling. */
export function poolTaps(taps: readonly Tap[], items: readonly PoolItem[]): PooledTap[] {
  return taps.map((tap) => {
    const pieces = planPools(tap, items).map(({ piece }) => piece);
    return { ...tap, pieces, features: pieces.reduce((sum, piece) => sum + piece.features, 0) };
  });
}

/** Name of the output that carries a tap's pooled features, (batch, features). */
export function pooledOutput(tap: Tap): string {
  return `pooled.${tap.alias}`;
}

/**
 * The network with the pooled features of `taps` as its only outputs; what none of them needs is cut off, so a request
 * for shallow taps runs the shallow part only.
 */
export function tappedGraph(network: StaticGraph, taps: readonly Tap[], items: readonly PoolItem[]): Graph {
  const { batch } = network;
  const pooler = new Pooler(network);
  const { builder } = pooler;
  const pooled = taps.map((tap) => {
    builder.output(pooledOutput(tap));
    return planPools(tap, items).map((planned) => {
      const value = pooler.pool(tap, planned);
      return { value, features: planned.piece.features, turned: cellsFirst(tap, planned) };
    });
  });
  // A runtime orders nodes by a search back from each end, the last one first. The shallowest tap comes last, so that it is
  // pooled, and its map's memory given back, before the deeper layers run, instead of every map waiting for the end.
  for (const [i, tap] of [...taps.entries()].reverse()) {
    const pieces = pooled[i] ?? [];
    const flat = pieces.map(({ value, features, turned }) => {
      const channelsFirst = turned ? builder.transpose(value, [0, 2, 1]) : value;
      const name = pieces.length === 1 ? pooledOutput(tap) : builder.fresh('pooled');
      builder.node('Reshape', [channelsFirst, builder.ints([batch, features])], [name]);
      return name;
    });
    if (flat.length > 1) builder.node('Concat', flat, [pooledOutput(tap)], { axis: 1 });
  }
  return prune(builder.build());
}

/** How a value follows linearly from others: the values, and the same step on their pooled forms. */
interface LinearStep {
  readonly from: readonly string[];
  readonly apply: (pooled: readonly string[]) => string;
}

/** Longest chain of linear steps that is looked through. */
const maximalSteps = 8;

class Pooler {
  readonly builder: GraphBuilder;
  readonly #pooled = new Map<string, string>();

  constructor(private readonly network: StaticGraph) {
    this.builder = new GraphBuilder({ ...network.graph, outputs: [] }, 'pool');
  }

  /** The pooled form of a value; computed from pooled forms that exist already where that reads less. */
  pool(value: PoolableValue, planned: PlannedPool): string {
    const known = this.#known(value.name, planned);
    if (known !== undefined) return known;
    const derive = value.layout.kind !== 'vector' && isMean(planned.item);
    const steps = new Map<string, LinearStep>();
    const reading = derive ? this.#reading(value.name, planned, steps, 0) : Number.POSITIVE_INFINITY;
    return reading < this.#size(value.name) ? this.#derived(value, planned, steps) : this.#add(value, planned);
  }

  #known(value: string, { key }: PlannedPool): string | undefined {
    return this.#pooled.get(`${value} ${key}`);
  }

  #keep(value: string, { key }: PlannedPool, pooled: string): string {
    this.#pooled.set(`${value} ${key}`, pooled);
    return pooled;
  }

  /** Pools the value itself. */
  #add(value: PoolableValue, planned: PlannedPool): string {
    return this.#keep(value.name, planned, addPooling(this.builder, value, planned, this.network.batch));
  }

  #size(value: string): number {
    return sizeOf(this.network.dims(value)?.slice(1) ?? []);
  }

  /** Elements to read for the pooled form of `value` when linear steps are looked through; fills `steps` on the way. */
  #reading(value: string, planned: PlannedPool, steps: Map<string, LinearStep>, depth: number): number {
    if (this.#known(value, planned) !== undefined) return 0;
    const direct = this.#size(value);
    const step = depth < maximalSteps ? this.#linearStep(value) : undefined;
    if (!step) return direct;
    let reading = 0;
    for (const name of step.from) reading += this.#reading(name, planned, steps, depth + 1);
    if (reading >= direct) return direct;
    steps.set(value, step);
    return reading;
  }

  /** The pooled form by way of `steps`, down to values that are pooled themselves. */
  #derived(value: PoolableValue, planned: PlannedPool, steps: ReadonlyMap<string, LinearStep>): string {
    const known = this.#known(value.name, planned);
    if (known !== undefined) return known;
    const step = steps.get(value.name);
    if (!step) return this.#add(value, planned);
    const from = step.from.map((name) => {
      const shape = (this.network.dims(name) ?? []).toSpliced(value.layout.axes.indexOf('N'), 1);
      return this.#derived({ ...value, name, shape }, planned, steps);
    });
    return this.#keep(value.name, planned, step.apply(from));
  }

  #linearStep(value: string): LinearStep | undefined {
    const step = this.#step(value);
    // What lies otherwise has other windows, and nodes would run over other axes than those of its pooled form.
    const own = JSON.stringify(this.network.layout(value));
    return step?.from.every((name) => JSON.stringify(this.network.layout(name)) === own) ? step : undefined;
  }

  #step(value: string): LinearStep | undefined {
    const node = this.network.links.producer.get(value);
    const dims = this.network.dims(value);
    const axes = this.network.layout(value)?.axes;
    const [channelsFirst, channelsLast] = [axes === 'NCHW', axes === 'NTC' || axes === 'NHWC'];
    if (!node || !dims || node.domain !== '' || (!channelsFirst && !channelsLast)) return undefined;
    const onPooled = (inputs: readonly string[]) => {
      const output = this.builder.fresh(`pool.${value}`);
      this.builder.append({ ...node, name: '', inputs, outputs: [output] });
      return output;
    };
    const [first = '', ...rest] = node.inputs;
    const constant = (name: string) => this.network.graph.constants.get(name);
    const restConstant = rest.every((name) => constant(name));
    switch (node.op) {
      case 'Identity':
        return { from: [first], apply: ([x = '']) => x };
      case 'Conv': {
        const pointwise =
          channelsFirst &&
          restConstant &&
          (constant(rest[0] ?? '')?.dims.slice(2) ?? []).every((k) => k === 1) &&
          (intsAttribute(node, 'strides') ?? []).every((s) => s === 1) &&
          (intsAttribute(node, 'pads') ?? []).every((p) => p === 0);
        return pointwise ? { from: [first], apply: ([x = '']) => onPooled([x, ...rest]) } : undefined;
      }
      case 'BatchNormalization':
        return channelsFirst && restConstant && intAttribute(node, 'training_mode', 0) === 0
          ? { from: [first], apply: ([x = '']) => onPooled([x, ...rest]) }
          : undefined;
      case 'MatMul':
        return channelsLast && constant(rest[0] ?? '')?.dims.length === 2
          ? { from: [first], apply: ([x = '']) => onPooled([x, ...rest]) }
          : undefined;
      case 'Add': {
        const [a = '', b = ''] = node.inputs;
        const same = `${this.network.dims(a)}` === `${this.network.dims(b)}`;
        if (!constant(a) && !constant(b)) return same ? { from: [a, b], apply: onPooled } : undefined;
        const [bias, x] = constant(a) ? [a, b] : [b, a];
        return !constant(x) && isPerChannel(constant(bias)?.dims ?? [], channelsFirst)
          ? { from: [x], apply: ([pooled = '']) => onPooled([pooled, bias]) }
          : undefined;
      }
      default:
        return undefined;
    }
  }
}

/** Does a constant of these dims, added to a value, add one number per channel (the same at every place)? */
function isPerChannel(bias: readonly number[], channelsFirst: boolean): boolean {
  // The pooled form of channels last has one axis of places, whatever the value has.
  const [rank, channelAxis] = channelsFirst ? [4, 1] : [3, 2];
  return bias.length <= rank && bias.every((dim, i) => dim === 1 || rank - bias.length + i === channelAxis);
}
