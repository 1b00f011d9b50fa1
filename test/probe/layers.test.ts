/** Probes on one tap at a time: each at the penalty that suits its tap. */
import { beforeAll, describe, expect, test } from 'vitest';
import { Random } from '../../src/base/index.js';
import { Memo } from '../../src/probe/context.js';
import { type ProbeRun, type ProbeTask, runProbes, selectMethods, tapSheets } from '../../src/probe/index.js';
import { layerFits } from '../../src/probe/layers.js';
import { probeDefaults } from '../../src/probe/options.js';
import { Designs } from '../../src/probe/tuning/grams.js';
import { type ClassTargets, scoreTaps } from '../../src/record/index.js';
import { FeatureMatrix, fitDesign, fitLogistic, predictLogits, probabilities } from '../../src/solver/index.js';
import { fitTemperature, logLoss, topClasses } from '../../src/stats/index.js';
import { testEngine } from '../support/run.js';

const K = 2;
const widths = { narrow: 3, wide: 200, features: 20 };
const n = { train: 120, test: 400 };

/** A narrow tap that tells the classes apart at high resolution, a wide one with a little signal among much noise. */
function matrixOf(count: number, stream: string): FeatureMatrix {
  const random = new Random(11, stream);
  const blocks = Object.entries(widths).map(([name, features]) => {
    const signal = { narrow: 1.5, wide: 0.7, features: 0.6 }[name] as number;
    const data = new Float32Array(features * count);
    for (let j = 0; j < features; j++) {
      for (let i = 0; i < count; i++) {
        data[j * count + i] = (j < 3 ? signal * (i % K ? 1 : -1) : 0) + random.normal();
      }
    }
    return { name, features, data };
  });
  return new FeatureMatrix(blocks, count);
}
const labelsOf = (count: number) => Int32Array.from({ length: count }, (_, i) => i % K);
const targets: ClassTargets = { kind: 'class', classes: ['no', 'yes'], labels: labelsOf(n.test) };

function makeTask(): ProbeTask {
  return {
    train: {
      matrix: matrixOf(n.train, 'train'),
      labels: labelsOf(n.train),
      files: Array.from({ length: n.train }, (_, i) => `${i}`),
    },
    test: { matrix: matrixOf(n.test, 'test'), files: Array.from({ length: n.test }, (_, i) => `${i}`) },
    classes: ['no', 'yes'],
    taps: Object.entries(widths).map(([alias, features]) => ({ alias, name: alias, features })),
    source: { data: 'drawn', description: 'drawn' },
  };
}

const l2 = [1, 1e-1, 1e-2, 1e-3, 1e-4];
const options = { normalisation: 'none', folds: 4, l2 } as const;
const runOf = async (more: object = {}): Promise<ProbeRun> =>
  runProbes(await testEngine(), makeTask(), [], { ...options, perTap: 'withLast', ...more });

/** A probe on some blocks of the features, by the exact solver. */
async function byHand(names: readonly string[], rows: readonly number[], penalty: number) {
  const engine = await testEngine();
  const blocks = (matrix: FeatureMatrix) =>
    new FeatureMatrix(
      matrix.blocks.filter((b) => names.includes(b.name)),
      matrix.rows,
    );
  const task = makeTask();
  const design = await fitDesign(engine, blocks(task.train.matrix), { rows, standardize: false });
  const solution = await fitLogistic(engine, design, task.train.labels, {
    lambdas: [(rows.length * penalty) / 2],
    classes: K,
    tolerance: 1e-4,
  });
  const model = await solution.model(0);
  return {
    onTrain: (chosen: readonly number[]) => predictLogits(engine, model, design.matrix, chosen),
    onTest: () => predictLogits(engine, model, blocks((task.test as { matrix: FeatureMatrix }).matrix)),
  };
}

describe('the probes on single taps', () => {
  let run: ProbeRun;
  beforeAll(async () => {
    run = await runOf();
  });
  const tap = (alias: string) => {
    const found = run.taps?.find((t) => t.alias === alias);
    if (!found) throw new Error(alias);
    return found;
  };

  test.each(['narrow', 'wide', 'features'])(
    '%s: the penalty with the smallest validation loss, by hand as well',
    async (alias) => {
      const { labels } = makeTask().train;
      // At the temperature that suits all validation rows best.
      const loss = async (penalty: number) => {
        const [logits, truth]: [number[], number[]] = [[], []];
        for (const { train, validation } of run.folds) {
          logits.push(...(await (await byHand([alias], train, penalty)).onTrain(validation)));
          truth.push(...validation.map((i) => labels[i] as number));
        }
        const temperature = fitTemperature(logits, truth, K);
        return logLoss(
          truth,
          probabilities(
            Float64Array.from(logits, (z) => z / temperature),
            K,
          ),
          K,
        );
      };
      const losses = await Promise.all(l2.map(loss));
      const best = l2[losses.indexOf(Math.min(...losses))] as number;
      expect(tap(alias).alone.l2).toBe(best);
      expect(tap(alias).alone.validation.logLoss).toBeCloseTo(Math.min(...losses), 1);
    },
  );

  test('answer as fits by hand do at these penalties, alone and with the last layer', async () => {
    const all = Array.from({ length: n.train }, (_, i) => i);
    const scored = scoreTaps(tapSheets(run), targets);
    for (const alias of Object.keys(widths)) {
      const { alone, withLast } = tap(alias);
      for (const [own, names] of [
        [alone, [alias]],
        [withLast, [alias, 'features']],
      ] as const) {
        const top = topClasses(await (await byHand(names, all, own?.l2 as number)).onTest(), K);
        const right = Array.from(targets.labels).filter((label, i) => label === top[i]).length / n.test;
        // Single taps are fitted less exactly: 1 % of the gradient.
        const differing = Array.from(top).filter((c, i) => c !== own?.predictions?.predicted[i]).length;
        expect(differing).toBeLessThanOrEqual(0.01 * n.test);
        const figure = scored.get(alias)?.[own === alone ? 'alone' : 'withLast'];
        expect(Math.abs((figure?.score as number) - right)).toBeLessThanOrEqual(0.01);
      }
    }
  });

  test('of the last layer are one probe, alone and with itself', () => {
    expect(tap('features').withLast).toEqual(tap('features').alone);
  });

  test('may be asked for alone', async () => {
    const alone = await runOf({ perTap: 'alone' });
    expect(alone.taps?.map((t) => [t.alias, 'withLast' in t])).toEqual(Object.keys(widths).map((a) => [a, false]));
    expect(alone.taps?.map((t) => t.alone)).toEqual(run.taps?.map((t) => t.alone));
  });
});

describe('a budget of features per tap', () => {
  /** Features that the probes read, by tap. */
  async function read(tapFeatures: number | undefined, seed = 0) {
    const engine = await testEngine();
    const { train, taps } = makeTask();
    const fold = {
      train: Array.from({ length: 80 }, (_, i) => i),
      validation: Array.from({ length: 40 }, (_, i) => 80 + i),
    };
    const fits = await layerFits(
      {
        engine,
        train,
        taps,
        classes: K,
        folds: [fold],
        options: { ...probeDefaults, ...options, l2: [1e-2], seed },
        designs: new Designs(engine, false),
        memo: new Memo(),
        progress: () => undefined,
      },
      tapFeatures,
    );
    return fits.map(({ alone, withLast }) => [alone, withLast].map((fit) => Array.from(fit.model.indices)));
  }
  const offsets = [0, 3, 203, 223];

  test('limits wide taps, leaves narrow ones whole, and is the same alone and beside the last layer', async () => {
    const taps = await read(8);
    const last = taps[2]?.[0] as number[];
    for (const [b, [alone = [], withLast = []]] of taps.entries()) {
      expect(alone).toHaveLength(Math.min(8, (offsets[b + 1] as number) - (offsets[b] as number)));
      expect(alone.every((j) => j >= (offsets[b] as number) && j < (offsets[b + 1] as number))).toBe(true);
      expect(new Set(alone).size).toBe(alone.length);
      expect(withLast).toEqual([...new Set([...alone, ...last])].sort((x, y) => x - y));
    }
  });

  test('is drawn by the seed', async () => {
    const [first, again, other] = await Promise.all([read(8), read(8), read(8, 1)]);
    expect(again).toEqual(first);
    expect(other).not.toEqual(first);
  });

  test('does not bind a bound over layers: that reads whole taps whatever the budget', async () => {
    const engine = await testEngine();
    const oracle = selectMethods('oracle');
    const [free, limited] = await Promise.all(
      [{}, { tapFeatures: 2, perTap: 'withLast' } as const].map((more) =>
        runProbes(engine, makeTask(), oracle, { ...options, ...more }),
      ),
    );
    expect(limited?.results[0]?.alternatives).toEqual(free?.results[0]?.alternatives);
    expect(limited?.taps?.map((t) => t.alone.l2 !== undefined)).toEqual([true, true, true]);
  });

  test('that is not given is everything', async () => {
    const taps = await read(undefined);
    expect(taps.map(([alone]) => alone?.length)).toEqual([3, 200, 20]);
  });
});
