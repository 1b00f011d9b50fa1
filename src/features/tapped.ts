/** The network that the extraction pass runs: images in, the pooled features of every tap out. */
import { type Graph, GraphBuilder, prune, type Tap } from '../graph/index.js';
import { addPooling, type PooledPiece, type PoolItem, pooledPieces } from './pooling.js';

export interface PooledTap extends Tap {
  /** Features of the tap: the sum over its pieces. */
  readonly features: number;
  readonly pieces: readonly PooledPiece[];
}

/** Sizes of the taps under a pooling. */
export function poolTaps(taps: readonly Tap[], items: readonly PoolItem[]): PooledTap[] {
  return taps.map((tap) => {
    const pieces = pooledPieces(tap.kind, tap.shape, items);
    return { ...tap, pieces, features: pieces.reduce((sum, piece) => sum + piece.features, 0) };
  });
}

/** Name of the output that carries a tap's pooled features, (batch, features). */
export function pooledOutput(tap: Tap): string {
  return `pooled.${tap.alias}`;
}

/**
 * The static `graph` with the pooled features of `taps` as its only outputs; what none of them needs is cut off, so a
 * request for shallow taps runs the shallow part only.
 */
export function tappedGraph(graph: Graph, taps: readonly Tap[], items: readonly PoolItem[], batch: number): Graph {
  const builder = new GraphBuilder({ ...graph, outputs: [] }, 'pool');
  for (const tap of taps) {
    const pooled = addPooling(builder, tap.name, tap.kind, tap.shape, items, batch);
    builder.node('Identity', [pooled], [pooledOutput(tap)]);
    builder.output(pooledOutput(tap));
  }
  return prune(builder.build());
}
