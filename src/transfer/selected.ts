/** Head2Toe-FT: a backbone with a linear head on selected features of many taps, to be trained together. */
import { nearest, UserError } from '../base/index.js';
import { addPooling, cellsFirst, parsePool, planPools } from '../features/index.js';
import { type Graph, GraphBuilder, imageInput, subgraph, type Tap } from '../graph/index.js';
import { addHead, type Network } from './network.js';

/** Features that a probe kept, to be trained on. */
export interface FeatureSelection {
  /** Pooling that the indices count in, as in `toehold extract --pool`. */
  readonly pool: string;
  /** `unit`: every tap's features are divided by the norm of all of them and then selected, as the probes do. */
  readonly norm: 'unit' | 'none';
  /** Features by tap (alias or name), in the order of the head's columns. */
  readonly taps: readonly { readonly tap: string; readonly indices: readonly number[] }[];
  /** Head to start from, of a probe on the same features: weight (classes, p), bias (classes). Small and random else. */
  readonly head?: { readonly weight: Float32Array; readonly bias: Float32Array };
}

/** Keeps an image without any activation from dividing by zero. */
const tiny = 1e-12;

/**
 * The network up to the taps, their pooled and selected features side by side, and a linear classifier on them.
 * @param taps all taps of `graph`
 * @throws UserError when a tap does not exist, an index is out of range, or nothing is selected.
 */
export function withSelectedHead(
  graph: Graph,
  taps: readonly Tap[],
  selection: FeatureSelection,
  { classes, seed }: { classes: number; seed: number },
): Network {
  const chosen = selection.taps.filter(({ indices }) => indices.length > 0);
  if (chosen.length === 0) throw new UserError('no feature is selected, so there is nothing to put a head on');
  const found = chosen.map(({ tap }) => find(taps, tap));
  const values = found.map((tap) => tap.name);
  const cut = { ...subgraph(graph, [imageInput(graph)], [...new Set(values)]), outputs: [] };
  const b = new GraphBuilder(cut, 'selected');
  const before = new Set(cut.constants.keys());
  const items = parsePool(selection.pool);
  const parts = chosen.map(({ indices }, i) => {
    const tap = found[i] as Tap;
    const plans = planPools(tap, items);
    const features = plans.reduce((sum, p) => sum + p.piece.features, 0);
    const wrong = indices.find((j) => !Number.isInteger(j) || j < 0 || j >= features);
    if (wrong !== undefined) {
      throw new UserError(
        `feature ${wrong} of tap '${tap.alias}' is selected, but pooled by ${selection.pool} it has ${features}`,
      );
    }
    const pieces = plans.map((planned) => {
      const { features: width } = planned.piece;
      let value = addPooling(b, tap, planned, -1);
      if (cellsFirst(tap, planned)) value = b.transpose(value, [0, 2, 1]);
      return b.reshape(value, [-1, width]);
    });
    const pooled = pieces.length === 1 ? (pieces[0] as string) : b.concat(pieces, 1);
    const selected = b.gather(pooled, b.ints(indices), 1);
    if (selection.norm === 'none') return selected;
    const squares = b.sum(b.mul(pooled, pooled), [1], true);
    return b.div(selected, b.sqrt(b.add(squares, b.scalar(tiny))));
  });
  const features = parts.length === 1 ? (parts[0] as string) : b.concat(parts, 1);
  const width = chosen.reduce((sum, { indices }) => sum + indices.length, 0);
  const head = selection.head;
  if (head && (head.weight.length !== classes * width || head.bias.length !== classes)) {
    throw new UserError(
      `the head to start from has ${head.weight.length} weights; ${classes} classes on ${width} features take ${classes * width}`,
    );
  }
  const fixed = new Set([...b.build().constants.keys()].filter((name) => !before.has(name)));
  const logits = addHead(b, features, { classes, width, seed, ...head });
  return { graph: b.build(), logits, features, classes, fixed };
}

function find(taps: readonly Tap[], name: string): Tap {
  const tap = taps.find((t) => t.alias === name || t.name === name);
  if (tap) return tap;
  const close = nearest(
    name,
    taps.map((t) => t.alias),
  );
  throw new UserError(`the backbone has no tap '${name}'${close ? `; did you mean '${close}'?` : ''}`);
}
