/** Features drawn for tests of probes: three taps, of which the middle one knows most. */
import { Random } from '../../../src/base/index.js';
import {
  efficientDefaults,
  faithfulDefaults,
  fusionGrids,
  type Inputs,
  type Labelled,
  type MethodResult,
  type ProbeRun,
  type ProbeTask,
  type RunOptions,
  runProbes,
  selectMethods,
  sheetOf,
} from '../../../src/probe/index.js';
import { type ClassTargets, type ScoredSheet, scoreSheet } from '../../../src/record/index.js';
import { FeatureMatrix } from '../../../src/solver/index.js';
import { testEngine } from '../../support/run.js';

export const K = 3;
export const classes = ['a', 'b', 'c'];
/** Features of each tap. */
export const sizes = [20, 30, 10];
export const counts = { train: 90, test: 60 };

const labelsOf = (n: number) => Int32Array.from({ length: n }, (_, i) => i % K);

/** Noise, a middle tap with most of the signal in a few features, a last layer with some of it. */
export function inputs(n: number, stream: string): Inputs {
  const random = new Random(7, stream);
  const labels = labelsOf(n);
  const blocks = sizes.map((features, b) => {
    const data = new Float32Array(features * n);
    for (let j = 0; j < features; j++) {
      for (let i = 0; i < n; i++) {
        const own = labels[i] === j % K ? 1 : 0;
        const signal = b === 1 && j < 6 ? 2.5 * own : b === 2 && j < 3 ? 1.2 * own : 0;
        data[j * n + i] = Math.max(0, 1 + signal + random.normal());
      }
    }
    return { name: `tap${b}`, features, data };
  });
  const unitNorm = { unitNorm: true };
  return {
    matrix: new FeatureMatrix(blocks, n, unitNorm),
    files: Array.from({ length: n }, (_, i) => `${stream}/${i}.png`),
    control: new FeatureMatrix(
      [{ name: 'features', features: 10, data: blocks[2]?.data as Float32Array }],
      n,
      unitNorm,
    ),
  };
}

export function labelled(n: number, stream: string): Labelled {
  const labels = labelsOf(n);
  const groups = Array.from(labels, (label, i) => `${label}/${Math.floor(i / 6)}`);
  return { ...inputs(n, stream), labels, groups };
}

/** What is true of the test examples of `makeTask`. */
export const targets: ClassTargets = { kind: 'class', classes, labels: labelsOf(counts.test) };
/** No label is what it was. */
export const rotated: ClassTargets = { ...targets, labels: labelsOf(counts.test).map((c) => (c + 1) % K) };

export type TestedTask = ProbeTask & { readonly test: Inputs };

export function makeTask(): TestedTask {
  return {
    train: labelled(counts.train, 'train'),
    test: inputs(counts.test, 'test'),
    classes,
    taps: sizes.map((features, b) => ({
      alias: b === 2 ? 'features' : `s1.b${b}.act1`,
      name: `tap${b}`,
      features,
      macs: 100 * (b + 1),
      depth: (b + 1) / 3,
      // The middle one has two places.
      ...(b === 1 ? { pieces: [{ pool: 'tokens', channels: 15, prefix: 0, grid: [1, 2] as const, features }] } : {}),
    })),
    source: {
      data: 'synthetic',
      description: 'synthetic features',
      model: { name: 'net', path: '', sha256: '', macs: 300, params: 10 },
    },
  };
}

export const options = {
  folds: 3,
  lambdaCount: 8,
  lambdaRatio: 0.1,
  fractions: [0.05, 0.1, 0.5],
  l2: [1e-1, 1e-3, 1e-5],
  // What analyses a probe takes long, and changes none.
  repetitions: 1,
  leaveOut: 1,
  faithful: { ...faithfulDefaults, steps: [30], lambdas: [1e-3] },
  efficient: { ...efficientDefaults, queries: [3], learningRates: [1e-2], steps: 80, epochs: 10 },
  fusion: {
    ...fusionGrids.compact,
    learningRates: [1e-2],
    weightDecays: [1e-3],
    dropouts: [0, 0.3],
    epochs: 10,
    steps: 60,
  },
};

/** Probes by name on the task, with small grids. */
export async function runOf(names: string, task: ProbeTask = makeTask(), more: RunOptions = {}): Promise<ProbeRun> {
  return runProbes(await testEngine(), task, selectMethods(names), { ...options, ...more });
}

export function resultOf(run: ProbeRun, method: string): MethodResult {
  const found = run.results.find((r) => r.method.card.id === method);
  if (!found) throw new Error(`the run has no ${method}`);
  return found;
}

/** A method's cell and predictions as the owner of the test labels sees them. */
export function scored(run: ProbeRun, method: string, truth: ClassTargets | undefined = targets): ScoredSheet {
  return scoreSheet(sheetOf(run, resultOf(run, method)), truth);
}
