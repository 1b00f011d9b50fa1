/** An l2 probe on given features whose penalty is chosen by the folds. */
import type { Engine } from '../../engine/index.js';
import { type ClassPredictions, classPredictions } from '../../record/index.js';
import {
  assertL2Fits,
  type FeatureMatrix,
  type LinearModel,
  predictLogits,
  probabilities,
} from '../../solver/index.js';
import { type MethodContext, validationGroups } from '../context.js';
import type { Fit, LinearFit, Tuned } from '../methods/method.js';
import { areMany } from '../options.js';
import type { Inputs } from '../task.js';
import { type Choose, chooserBy, edgeNote } from '../tuning/choice.js';
import { type FoldFit, FoldProbes, falling, fitL2, type L2Problem } from '../tuning/probes.js';
import { type FoldFeatures, FoldSources } from '../tuning/sources.js';
import { Tally, type TuningRow } from '../tuning/tally.js';
import { concluded } from './conclusion.js';
import { gramOfTaps, kernelsAreKept } from './tap-kernels.js';

/**
 * Class predictions of a linear model on features.
 * @param temperature what the logits are divided by
 */
export async function predictLinear(
  engine: Engine,
  model: LinearModel,
  matrix: FeatureMatrix,
  temperature = 1,
): Promise<ClassPredictions> {
  const logits = await predictLogits(engine, model, matrix);
  if (temperature !== 1) for (let at = 0; at < logits.length; at++) logits[at] = (logits[at] as number) / temperature;
  return classPredictions(probabilities(logits, model.classes), model.classes);
}

type Rest = Pick<Fit, 'tuned' | 'validation' | 'estimate' | 'temperature' | 'grid' | 'converged' | 'notes'>;

/** The fit that a linear model is on the features that it was fitted to. */
export function linearFit<R extends Rest>(
  engine: Engine,
  model: LinearModel,
  rest: R,
): Fit & { readonly model: LinearModel } & R {
  return { predict: ({ matrix }) => predictLinear(engine, model, matrix, rest.temperature), model, path: [], ...rest };
}

/** Penalties in a row that are no better than a stronger one, after which weaker ones are left out. */
const PATIENCE = 2;

/**
 * Validation figures of l2 probes over the folds: one row per penalty, strongest first. Of many examples weaker penalties,
 * which take longest, are tried while they validate better (decision 052).
 * @param onBest receives the probe of each penalty that is the best so far, where one part is held out
 */
export async function validateL2(
  context: MethodContext,
  penalties: readonly number[],
  features: FoldFeatures,
  onBest: (fit: FoldFit) => void = () => undefined,
): Promise<TuningRow[]> {
  const { train, classes, folds, progress, designs } = context;
  const tallies = falling(penalties).map((l2) => ({ l2, tally: new Tally(context.options) }));
  const choose = chooserBy(context.options);
  const { labels } = train;
  const stops = folds.length === 1 && areMany(labels.length, context.options);
  const rows: TuningRow[] = [];
  for (const [f, fold] of folds.entries()) {
    const probes = new FoldProbes({ designs, source: await features.source(fold, f), fold, labels, classes });
    for (const [i, { l2, tally }] of tallies.entries()) {
      progress(`penalty ${i + 1} of ${tallies.length}, fold ${f + 1} of ${folds.length}`);
      const fit = await probes.fit(l2, tally);
      if (f < folds.length - 1) continue;
      rows.push(tally.row({ l2 }));
      const best = rows.indexOf(choose(rows));
      if (folds.length === 1 && best === i) onBest(fit);
      if (stops && i - best >= PATIENCE) break;
    }
  }
  return settle(context, rows, features, choose);
}

/**
 * The comparison of penalties gives up on what takes long, which matters for the row that is chosen: where its solver had
 * not converged it is fitted again by the exact one, until what is chosen has converged.
 */
export async function settle(
  context: MethodContext,
  rows: readonly TuningRow[],
  features: FoldFeatures,
  choose: Choose,
): Promise<TuningRow[]> {
  const settled = [...rows];
  for (let best = choose(settled); !best.converged; best = choose(settled)) {
    const row = await exactRow(context, best.settings.l2 as number, features);
    settled[settled.indexOf(best)] = row;
    if (!row.converged) break;
  }
  return settled;
}

async function exactRow(
  { engine, train, classes, folds, designs, options, progress }: MethodContext,
  l2: number,
  { matrix, indices }: FoldFeatures,
): Promise<TuningRow> {
  const { labels } = train;
  const tally = new Tally(options);
  for (const [f, { train: rows, validation }] of folds.entries()) {
    progress(`penalty ${l2}, exactly, fold ${f + 1} of ${folds.length}`);
    const design = await designs.on(matrix, rows);
    const { model, converged } = await fitL2({ engine, design, indices: indices(f), labels, classes, l2 });
    const truth = validation.map((row) => labels[row] as number);
    tally.add(await predictLogits(engine, model, matrix, validation), truth, classes, converged);
  }
  return tally.row({ l2 });
}

/** Sentences on a penalty at the edge of its grid. */
export const penaltyNotes = (context: MethodContext, rows: readonly TuningRow[], best: TuningRow): string[] =>
  edgeNote(
    rows,
    best,
    { key: 'l2', name: 'l2 penalty', flag: '--l2' },
    { options: context.options, groups: validationGroups(context) },
  );

/** As tuneL2, fitted at once. */
export const fitTunedL2 = async (
  context: MethodContext,
  view: (inputs: Inputs) => FeatureMatrix,
  indices?: Int32Array,
): Promise<LinearFit> => (await tuneL2(context, view, indices)).finish(context.progress);

/**
 * @param view the matrix that the probe reads of any examples
 * @param indices features of it; all by default
 */
export async function tuneL2(
  context: MethodContext,
  view: (inputs: Inputs) => FeatureMatrix,
  indices?: Int32Array,
): Promise<Tuned> {
  const { engine, train, classes, options, designs } = context;
  const { labels } = train;
  const matrix = view(train);
  assertL2Fits('logistic regression', matrix.rows, indices?.length ?? matrix.features);
  const isWhole = matrix === train.matrix && !indices;
  const gram = isWhole && kernelsAreKept(context) ? () => gramOfTaps(context) : undefined;
  const sources = new FoldSources(designs, matrix, indices, gram);
  const features: FoldFeatures = { matrix, indices: () => indices, source: (fold) => sources.get(fold) };
  let start: L2Problem['start'];
  const rows = await validateL2(context, options.l2, features, ({ table }) => {
    start = table && { weights: table.fit.weights, intercept: table.fit.intercept };
  });
  const choose = chooserBy(options);
  const best = choose(rows);
  const { l2 } = best.settings as { l2: number };
  const finish: Tuned['finish'] = async (progress) => {
    progress('all training rows');
    const design = await designs.get(matrix);
    const { model, converged } = await fitL2({ engine, design, indices, labels, classes, l2, start });
    const conclusion = concluded(context, rows, best, choose);
    return {
      predict: (inputs) => predictLinear(engine, model, view(inputs), conclusion.temperature),
      model,
      tuned: { l2 },
      ...conclusion,
      refit: { features, l2 },
      grid: rows,
      path: [],
      converged: best.converged && converged,
      notes: penaltyNotes(context, rows, best),
    };
  };
  return { validation: best, finish };
}
