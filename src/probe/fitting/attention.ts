/**
 * A network that attends over vectors of stored features, tuned and trained: every setting on one validation split (the data's
 * own, or the first fold), the one of the highest accuracy on all training rows.
 */
import { UserError } from '../../base/index.js';
import type { Engine } from '../../engine/index.js';
import { type ClassPredictions, classPredictions } from '../../record/index.js';
import { type FeatureMatrix, probabilities } from '../../solver/index.js';
import { applyAttention, type FittedAttention } from '../attention/head.js';
import type { AttentionNetwork } from '../attention/network.js';
import { readTokens } from '../attention/token-rows.js';
import type { LayerTokens } from '../attention/tokens.js';
import { type AttentionRecipe, type AttentionSettings, AttentionTrainer } from '../attention/trainer.js';
import type { MethodContext } from '../context.js';
import type { Fit } from '../methods/method.js';
import { accuracyIn, chooserBy } from '../tuning/choice.js';
import { classShares, Tally, type TuningRow } from '../tuning/tally.js';
import { concluded } from './conclusion.js';

/** A setting that is tried. */
export interface AttentionCandidate {
  /** As they are reported. */
  readonly settings: Readonly<Record<string, number>>;
  readonly network: AttentionNetwork;
  readonly training: AttentionSettings;
}

/** What of such a probe is its method's own. */
export interface AttentionProbe {
  readonly method: string;
  readonly layers: LayerTokens;
  readonly candidates: readonly AttentionCandidate[];
  readonly recipe: AttentionRecipe;
  /** Seeds from which the chosen setting is validated. */
  readonly seeds: number;
  /** Sentences, from the attention that each vector gets. */
  notes(mass: Float64Array): readonly string[];
}

export async function fitAttention(context: MethodContext, probe: AttentionProbe): Promise<Fit> {
  const { engine, train, classes, folds, options, designs, progress } = context;
  const { matrix, labels } = train;
  if (designs.standardize) {
    throw new UserError(`${probe.method} divides the vectors that it attends over by their norm: use --normalise unit`);
  }
  const { layers, candidates, recipe, seeds } = probe;
  const choosing = { ...options, choose: 'accuracy' } as const;
  const [fold] = folds as [(typeof folds)[number], ...(typeof folds)[number][]];
  const truth = fold.validation.map((row) => labels[row] as number);
  const everyRow = Array.from(labels.keys());
  const trainers = new Map<AttentionNetwork, AttentionTrainer>();
  const trainerOf = (network: AttentionNetwork) => {
    const trainer = trainers.get(network) ?? new AttentionTrainer(engine, network);
    trainers.set(network, trainer);
    return trainer;
  };
  const x = await readTokens(matrix, layers);
  try {
    const weights =
      options.classWeight === 'balanced' ? balancedWeights(labels) : new Float64Array(labels.length).fill(1);
    const data = { x, labels, weights };
    const learn = async (
      rows: readonly number[],
      { network, training }: AttentionCandidate,
      seed: number,
      what: string,
    ) => {
      const keys = [options.seed, seed] as const;
      const trained = await trainerOf(network).train(data, rows, training, recipe, keys, (step, of) => {
        if (step % 50 === 0) progress(`${what}, step ${step} of ${of}`);
      });
      return network.fold(trained.weights, trained.moments);
    };
    const validate = async (candidate: AttentionCandidate, seed: number, what: string): Promise<TuningRow> => {
      const matrices = await learn(fold.train, candidate, seed, what);
      const tally = new Tally(options);
      const { logits } = await applyAttention(engine, matrices, x, fold.validation);
      tally.add(logits, truth, classes, logits.every(Number.isFinite));
      return tally.row(candidate.settings);
    };
    const rows: TuningRow[] = [];
    for (const [i, candidate] of candidates.entries()) {
      rows.push(await validate(candidate, 0, `setting ${i + 1} of ${candidates.length}`));
    }
    const choose = chooserBy(choosing);
    const best = choose(rows);
    const chosen = candidates[rows.indexOf(best)] as AttentionCandidate;
    const repeated = [best];
    for (let seed = 1; seed < seeds; seed++)
      repeated.push(await validate(chosen, seed, `seed ${seed + 1} of ${seeds}`));
    const matrices = await learn(everyRow, chosen, 0, 'all training rows');
    const { mass } = await applyAttention(engine, matrices, x, everyRow);
    const groups = train.groups && fold.validation.map((row) => train.groups?.[row] as string);
    const conclusion = concluded({ ...context, folds: [fold] }, rows, best, choose, groups);
    const { temperature = 1 } = conclusion;
    const attention = { layers, matrices, temperature };
    return {
      predict: ({ matrix: others }) => predictAttention(engine, attention, others),
      attention,
      tuned: { ...chosen.settings },
      ...conclusion,
      grid: rows,
      path: [],
      converged: matrices.mix.every(Number.isFinite),
      notes: [
        ...probe.notes(mass),
        ...(repeated.length > 1 ? [seedsNote(repeated.map((row) => 100 * accuracyIn(row, choosing)))] : []),
        'AdamW has no stopping rule and no certificate; settings were compared on one validation split',
      ],
    };
  } finally {
    x.close();
    for (const trainer of trainers.values()) await trainer.dispose();
  }
}

/** Class predictions of examples by their features. */
async function predictAttention(
  engine: Engine,
  { layers, matrices, temperature }: FittedAttention,
  matrix: FeatureMatrix,
): Promise<ClassPredictions> {
  const x = await readTokens(matrix, layers);
  try {
    const { logits } = await applyAttention(
      engine,
      matrices,
      x,
      Array.from({ length: matrix.rows }, (_, i) => i),
    );
    const K = matrices.intercept.length;
    for (let at = 0; at < logits.length; at++) logits[at] = (logits[at] as number) / temperature;
    return classPredictions(probabilities(logits, K), K);
  } finally {
    x.close();
  }
}

/** n / (K n_c). */
function balancedWeights(labels: Int32Array): Float64Array {
  return classShares(labels).map((share) => share * labels.length);
}

function seedsNote(accuracies: readonly number[]): string {
  const n = accuracies.length;
  const mean = accuracies.reduce((sum, a) => sum + a / n, 0);
  const deviation = Math.sqrt(accuracies.reduce((sum, a) => sum + (a - mean) ** 2 / (n - 1), 0));
  return `validation accuracy of the chosen setting from ${n} seeds: mean ${mean.toFixed(1)}, standard deviation ${deviation.toFixed(2)} points; the first is reported`;
}
