/** What is said of features without labels is what NumPy and scikit-learn say. */
import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, test } from 'vitest';
import { alignments, centredKernels } from '../../../src/probe/scores/alignment.js';
import { scoresOfTap } from '../../../src/probe/scores/catalogue.js';
import { coordinatesOf } from '../../../src/probe/scores/coordinates.js';
import { drawn } from '../../../src/probe/scores/draw.js';
import { chanceAgreement, nearestNeighbours, neighbourAgreements } from '../../../src/probe/scores/neighbours.js';
import { centredSpectrum } from '../../../src/probe/scores/spectrum.js';
import { FeatureMatrix, type Matrix, type Multiply, products } from '../../../src/solver/index.js';
import { effectiveRank, participationRatio } from '../../../src/stats/index.js';
import { testEngine } from '../../support/run.js';

interface Case {
  name: string;
  k: number;
  x: number[][];
  z: number[][];
  agreement: number;
  spectrum: { 'effective-rank': number | null; 'participation-ratio': number | null; rank: number };
  cka: number | null;
}
const { cases } = JSON.parse(
  readFileSync(new URL('../../fixtures/probe/unlabelled.json', import.meta.url), 'utf8'),
) as { cases: Case[] };

const engine = await testEngine();
let multiply: Multiply;
beforeAll(async () => {
  multiply = await products(engine);
});

/** One block, feature-major. */
function matrixOf(rows: readonly (readonly number[])[]): FeatureMatrix {
  const [n, p] = [rows.length, rows[0]?.length ?? 0];
  const data = Float32Array.from({ length: n * p }, (_, e) => rows[e % n]?.[Math.floor(e / n)] ?? 0);
  return new FeatureMatrix([{ name: 'tap', features: p, data }], n);
}
const coordinates = (rows: readonly (readonly number[])[]) => coordinatesOf(engine, matrixOf(rows), 0);

describe.each(cases)('$name', ({ x, z, k, agreement, spectrum, cka }) => {
  test('effective rank and participation ratio', async () => {
    const ids = ['effective-rank', 'participation-ratio'] as const;
    const found = await scoresOfTap(engine, matrixOf(x), 0, { scores: ids, seed: 0 });
    expect(Object.keys(found)).toEqual(ids);
    for (const id of ids) {
      if (spectrum[id] === null) expect(found[id]).toBeUndefined();
      else expect(found[id]).toBeCloseTo(spectrum[id], 4);
    }
    expect(await centredSpectrum(multiply, (await coordinates(x)).z)).toHaveLength(spectrum.rank);
  });
  test('agreement of nearest neighbours, ties broken in every way', async () => {
    const taps = await Promise.all(
      [x, z].map(async (own) => nearestNeighbours(multiply, (await coordinates(own)).z, k)),
    );
    const [[, found], [back]] = neighbourAgreements(taps) as [[number, number], [number, number]];
    expect(found).toBeCloseTo(agreement, 10);
    expect(back).toBe(found);
  });
  test('CKA without bias', async () => {
    const all = [x.map((_, i) => i)];
    const kernels = await Promise.all(
      [x, z].map(async (own) => centredKernels(multiply, (await coordinates(own)).z, all)),
    );
    const [[, found]] = alignments(kernels) as [[number, number]];
    if (cka === null) expect(found).toBeNaN();
    else expect(found).toBeCloseTo(cka, 5);
  });
});

describe('a spectrum', () => {
  test('of equal values is as wide as there are, and of one is 1; the scale does not count', () => {
    for (const of of [effectiveRank, participationRatio]) {
      expect(of([3, 3, 3, 3])).toBeCloseTo(4, 12);
      expect(of([7, 0, 0])).toBe(1);
      expect(of([5, 2, 1])).toBeCloseTo(of([5e9, 2e9, 1e9]), 12);
      expect(of([])).toBeNaN();
    }
    expect(participationRatio([5, 2, 1])).toBeLessThan(effectiveRank([5, 2, 1]));
  });
});

describe('nearest neighbours', () => {
  const random = (n: number, p: number, seed: number): Matrix => ({
    rows: n,
    columns: p,
    data: Float64Array.from(
      { length: n * p },
      (_, e) => Math.sin(12.9898 * (e + 1) * seed) * Math.cos(78.233 * e + seed),
    ),
  });
  test('of a tap are its own, whatever the scale of its rows; more examples than are held at once', async () => {
    const one = random(700, 6, 1.7);
    const scaled = { ...one, data: one.data.map((v, e) => v * (1 + (Math.floor(e / 6) % 5))) };
    const [[self, same]] = neighbourAgreements([
      await nearestNeighbours(multiply, one, 10),
      await nearestNeighbours(multiply, scaled, 10),
    ]) as [[number, number]];
    expect(self).toBe(1);
    expect(same).toBeCloseTo(1, 12);
  });
  test('of unrelated taps agree by chance', async () => {
    const taps = [random(700, 6, 1.7), random(700, 9, 0.61)];
    const [[, found]] = neighbourAgreements(
      await Promise.all(taps.map((tap) => nearestNeighbours(multiply, tap, 10))),
    ) as [[number, number]];
    expect(Math.abs(found - chanceAgreement(10, 700))).toBeLessThan(0.01);
  });
});

test('examples are drawn by the seed alone, each once, in their order', () => {
  expect(drawn(4, 9, 0)).toEqual([0, 1, 2, 3]);
  const rows = drawn(100, 10, 3);
  expect(rows).toEqual([...new Set(rows)].sort((a, b) => a - b));
  expect(rows).toHaveLength(10);
  expect(drawn(100, 10, 3)).toEqual(rows);
  expect(drawn(100, 10, 4)).not.toEqual(rows);
});
