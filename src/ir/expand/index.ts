/**
 * Operators as what they are made of: written so where gradients flow, and where an engine has no operator of the name.
 * Elsewhere they stay, since a runtime's one operator is faster. One line per operator here, and a row in
 * test/graph/gradient/rules.test.ts.
 */

import { type Dims, Emitter } from '../emitter.js';
import type { Graph, NumericType, ObservedValue } from '../graph.js';
import { attention, rotaryEmbedding } from './attention.js';
import { type Expansion, ExpansionContext } from './expansion.js';
import { gridSample } from './grid-sample.js';
import { gru, lstm, rnn } from './recurrent.js';
import { rmsNormalization } from './rms-normalization.js';

/** Expansions by the operator that they stand for. */
export const expansions: Readonly<Record<string, Expansion>> = {
  Attention: attention,
  GRU: gru,
  GridSample: gridSample,
  LSTM: lstm,
  RMSNormalization: rmsNormalization,
  RNN: rnn,
  RotaryEmbedding: rotaryEmbedding,
};

/**
 * The graph with the nodes that make one of `values` written out; their outputs keep their names.
 * @param shapes of all values; those that are added come into it
 * @param refusal what is said of a variant that is not known here: "cannot be differentiated"
 * @throws UserError for such a variant
 */
export function expanded(
  graph: Graph,
  values: ReadonlySet<string>,
  observed: ReadonlyMap<string, ObservedValue>,
  shapes: Map<string, Dims>,
  type: NumericType,
  refusal: string,
): Graph {
  const chosen = graph.nodes.filter(
    ({ op, domain, outputs }) => domain === '' && Object.hasOwn(expansions, op) && outputs.some((o) => values.has(o)),
  );
  if (chosen.length === 0) return graph;
  const e = new Emitter({ ...graph, nodes: [] }, 'part', shapes, type);
  e.reserve(graph);
  const typeOf = (value: string) => observed.get(value)?.type ?? graph.constants.get(value)?.type;
  for (const node of graph.nodes) {
    const expansion = chosen.includes(node) ? expansions[node.op] : undefined;
    if (expansion) expansion(new ExpansionContext(node, e, typeOf, refusal));
    else e.append(node);
  }
  return e.build();
}
