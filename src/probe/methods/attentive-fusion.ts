/**
 * Attentive Layer Fusion (arXiv 2601.09322, ICML 2026) on stored features: one learned query attends over the vectors of all
 * taps (see fusion/network.ts), trained by AdamW under noise. Learning rate, weight decay and dropout of the attention are those
 * of the highest accuracy on one validation split (the data's own, or the first fold), then all training rows are trained on.
 *
 * As published, but: classes count alike in loss and choice only with the class weights 'balanced' (the paper's are); noise is
 * on training examples alone, where the released code validates on noisy ones too; the default grid is a part of the paper's 63
 * settings, which `published` is.
 */
import { roughPercent, UserError } from '../../base/index.js';
import { classPredictions, shapes } from '../../record/index.js';
import { probabilities } from '../../solver/index.js';
import type { MethodContext } from '../context.js';
import { concluded } from '../fitting/conclusion.js';
import { foldFusion } from '../fusion/fold.js';
import { applyFusion } from '../fusion/head.js';
import type { FusionShape } from '../fusion/shape.js';
import { type LayerTokens, layerTokens, readTokens } from '../fusion/tokens.js';
import { type FusionSettings, FusionTrainer } from '../fusion/trainer.js';
import { accuracyIn, chooserBy } from '../tuning/choice.js';
import { classShares, Tally, type TuningRow } from '../tuning/tally.js';
import type { Fit, ProbeMethod } from './method.js';

async function fit(context: MethodContext): Promise<Fit> {
  const { engine, train, taps, classes, folds, options, designs, progress } = context;
  const { matrix, labels } = train;
  if (designs.standardize) {
    throw new UserError(
      'attentive-fusion divides the vectors of layers by their norm as its paper does: use --normalise unit',
    );
  }
  const { learningRates, weightDecays, dropouts, seeds, ...recipe } = options.fusion;
  const choosing = { ...options, choose: 'accuracy' } as const;
  const layers = layerTokens(taps, matrix.offsets);
  const shape: FusionShape = { tokens: layers.tokens.length, width: layers.width, classes };
  const x = await readTokens(matrix, layers);
  const weights =
    options.classWeight === 'balanced' ? balancedWeights(labels) : new Float64Array(labels.length).fill(1);
  const data = { x, labels, weights };
  const [fold] = folds as [(typeof folds)[number], ...(typeof folds)[number][]];
  const truth = fold.validation.map((row) => labels[row] as number);
  const everyRow = Array.from(labels.keys());
  const trainer = new FusionTrainer(engine, shape);
  try {
    const learn = async (rows: readonly number[], settings: FusionSettings, seed: number, what: string) => {
      const trained = await trainer.train(data, rows, settings, recipe, [options.seed, seed], (step, of) => {
        if (step % 50 === 0) progress(`${what}, step ${step} of ${of}`);
      });
      return foldFusion(shape, trained.weights, trained.moments);
    };
    const validate = async (settings: FusionSettings, seed: number, what: string): Promise<TuningRow> => {
      const matrices = await learn(fold.train, settings, seed, what);
      const tally = new Tally(options);
      const { logits } = await applyFusion(engine, shape, matrices, x, fold.validation);
      tally.add(logits, truth, classes, logits.every(Number.isFinite));
      return tally.row({ ...settings });
    };
    const grid = learningRates.flatMap((learningRate) =>
      weightDecays.flatMap((weightDecay) => dropouts.map((dropout) => ({ learningRate, weightDecay, dropout }))),
    );
    const rows: TuningRow[] = [];
    for (const [i, settings] of grid.entries()) {
      rows.push(await validate(settings, 0, `setting ${i + 1} of ${grid.length}`));
    }
    const choose = chooserBy(choosing);
    const best = choose(rows);
    const chosen = grid[rows.indexOf(best)] as FusionSettings;
    const repeated = [best];
    for (let seed = 1; seed < seeds; seed++)
      repeated.push(await validate(chosen, seed, `seed ${seed + 1} of ${seeds}`));
    const fusion = await learn(everyRow, chosen, 0, 'all training rows');
    const { mass } = await applyFusion(engine, shape, fusion, x, everyRow);
    const groups = train.groups && fold.validation.map((row) => train.groups?.[row] as string);
    const conclusion = concluded({ ...context, folds: [fold] }, rows, best, choose, groups);
    const { temperature = 1 } = conclusion;
    return {
      predict: async (inputs) => {
        const vectors = await readTokens(inputs.matrix, layers);
        const all = Array.from({ length: inputs.matrix.rows }, (_, i) => i);
        const { logits } = await applyFusion(engine, shape, fusion, vectors, all);
        return classPredictions(
          probabilities(
            logits.map((z) => z / temperature),
            classes,
          ),
          classes,
        );
      },
      fusion: { layers, matrices: fusion, temperature },
      tuned: { ...chosen },
      ...conclusion,
      grid: rows,
      path: [],
      converged: fusion.mix.every(Number.isFinite),
      notes: notesOf(layers, mass, repeated, choosing),
    };
  } finally {
    await trainer.dispose();
  }
}

/** n / (K n_c). */
function balancedWeights(labels: Int32Array): Float64Array {
  return classShares(labels).map((share) => share * labels.length);
}

function notesOf(
  { tokens, wide }: LayerTokens,
  mass: Float64Array,
  repeated: readonly TuningRow[],
  options: Parameters<typeof accuracyIn>[1],
): string[] {
  const order = [...mass.keys()].sort((a, b) => (mass[b] as number) - (mass[a] as number)).slice(0, 5);
  const share = (t: number) => `${tokens[t]?.name} ${roughPercent(mass[t] as number)}`;
  const rest = tokens.length - order.length;
  return [
    `attention: ${order.map(share).join(', ')}${rest > 0 ? `, ${rest} more` : ''}`,
    `reads ${[...new Set(tokens.map(({ name }) => name.replace(/ \(token \d+\)$/, '')))].join(', ')}`,
    ...(wide.length > 0 ? [`left out, as they are wide: ${wide.join(', ')}`] : []),
    ...(repeated.length > 1 ? [seedsNote(repeated.map((row) => 100 * accuracyIn(row, options)))] : []),
    'AdamW has no stopping rule and no certificate; settings were compared on one validation split, as published',
  ];
}

function seedsNote(accuracies: readonly number[]): string {
  const n = accuracies.length;
  const mean = accuracies.reduce((sum, a) => sum + a / n, 0);
  const deviation = Math.sqrt(accuracies.reduce((sum, a) => sum + (a - mean) ** 2 / (n - 1), 0));
  return `validation accuracy of the chosen setting from ${n} seeds: mean ${mean.toFixed(1)}, standard deviation ${deviation.toFixed(2)} points; the first is reported`;
}

export const attentiveFusion: ProbeMethod = {
  card: {
    id: 'attentive-fusion',
    label: 'Attentive fusion',
    plain: 'attention over the layers (ALF)',
    advice: 'train attention over the layers (Attentive Layer Fusion)',
    title: 'attentive layer fusion: a learned query attends over the vectors of all taps (ALF)',
    reads: 'all layers',
    role: 'candidate',
    simplicity: 2,
    light: '#8f2d56',
    dark: '#f29ac0',
    shape: shapes.star,
  },
  seconds: 500,
  pools: 'each',
  choose: 'accuracy',
  fit,
};
