/** Which examples are read where not all are. */
import { Random } from '../../base/index.js';

/** Rows in their order, drawn from all alike. */
export function drawn(n: number, most: number, seed: number): number[] {
  if (n <= most) return Array.from({ length: n }, (_, i) => i);
  return new Random(seed, 'examples')
    .permutation(n)
    .slice(0, most)
    .sort((a, b) => a - b);
}

/** Rows in their order: as many of every class as its share gives it. */
export function stratified(labels: ArrayLike<number>, most: number, seed: number): number[] {
  const n = labels.length;
  const all = Array.from({ length: n }, (_, i) => i);
  if (n <= most) return all;
  const counts = new Map<number, number>();
  for (const label of Array.from(labels)) counts.set(label, (counts.get(label) ?? 0) + 1);
  const seen = new Map<number, number>();
  // The k-th of a class of m comes at (k + 1/2) / m: any beginning of this order has the classes' shares.
  return new Random(seed, 'examples')
    .permutation(n)
    .map((i) => {
      const label = labels[i] as number;
      const k = seen.get(label) ?? 0;
      seen.set(label, k + 1);
      return { i, at: (k + 0.5) / (counts.get(label) as number) };
    })
    .sort((a, b) => a.at - b.at || a.i - b.i)
    .slice(0, most)
    .map(({ i }) => i)
    .sort((a, b) => a - b);
}
