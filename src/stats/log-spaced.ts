/** Grids of hyper-parameters. */

/** `count` values from `from` to `to`, evenly spaced on a log scale; both ends exact. */
export function logSpaced(from: number, to: number, count: number): number[] {
  const [low, high] = [Math.log10(from), Math.log10(to)];
  return Array.from({ length: count }, (_, i) =>
    i === 0 ? from : i === count - 1 ? to : 10 ** (low + ((high - low) * i) / (count - 1)),
  );
}
