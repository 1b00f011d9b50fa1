/** Arrays that nobody reads any more are freed before they double the memory that a run takes. */
import { expect, test } from 'vitest';
import { freeArrays } from '../../src/probe/tuning/garbage.js';

const held = () => process.memoryUsage().arrayBuffers;
/** Pages that are never written to take no memory. */
const garbage = (bytes: number): number => new Float64Array(bytes / 8).length;

test('many bytes of arrays are looked through once they have grown, and what is read stays', () => {
  const kept = [new Float64Array(1e8), new Float64Array(6e7)];
  freeArrays();
  const live = held();
  expect(live).toBeGreaterThan(1.28e9);
  garbage(8e8);
  freeArrays();
  expect(held()).toBeLessThan(live + 2.5e8);
  expect(kept.map(({ length }) => length)).toEqual([1e8, 6e7]);
});
