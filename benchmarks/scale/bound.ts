/** What no schedule can beat. */
import type { Plan } from '../../src/study/index.js';

export interface Bounds {
  /** The work divided by the nodes, or the longest chain. */
  readonly simple: number;
  /**
   * The largest over all moments h, of: h, and the work of the units that cannot begin before h divided by the nodes (Fernandez
   * and Bussell 1973: nodes stand idle while a chain begins); and h, and the shortest that a node must do in a row where there are
   * more such units than nodes: of the kn + 1 longest, some node has k + 1.
   */
  readonly attainable: number;
}

/** @param nodes each does a unit at a time, in the unit's expected seconds, and units are not divided */
export function boundsOf({ units }: Plan, nodes: number): Bounds {
  const heads = new Map<string, number>();
  const ends = new Map<string, number>();
  for (const { id, needs, seconds } of units) {
    const head = Math.max(0, ...needs.map((need) => ends.get(need) ?? 0));
    heads.set(id, head);
    ends.set(id, head + seconds);
  }
  const total = units.reduce((sum, { seconds }) => sum + seconds, 0);
  const simple = Math.max(total / nodes, ...ends.values());
  const longestFirst = [...units].sort((a, b) => b.seconds - a.seconds);
  let attainable = simple;
  for (const head of new Set(heads.values())) {
    const late = longestFirst.filter(({ id }) => (heads.get(id) ?? 0) >= head).map(({ seconds }) => seconds);
    attainable = Math.max(attainable, head + late.reduce((sum, seconds) => sum + seconds, 0) / nodes);
    for (let k = 1; k * nodes < late.length; k++) {
      const row = late.slice(k * nodes - k, k * nodes + 1);
      attainable = Math.max(attainable, head + row.reduce((sum, seconds) => sum + seconds, 0));
    }
  }
  return { simple, attainable };
}
