/** What probes of values leave in a folder, and what they print. */
import { join } from 'node:path';
import * as z from 'zod';
import {
  csv,
  packageVersion,
  readJson,
  roughPercent,
  textTable,
  trueMinus,
  UserError,
  writeFileAtomic,
} from '../../base/index.js';
import { headline, type RunRecord, recordFile, type ValuedScore } from '../../record/index.js';
import type { Interval } from '../../stats/index.js';
import { emptyFolder, headNpz, valuedFile, weightsFile } from '../files.js';
import { ProbeConfig } from '../record.js';
import { headOf, type ValuedResult, type ValuedRun } from './run.js';

/** The run as other programs read it. */
export function valuedJson(run: ValuedRun) {
  const { task } = run;
  return {
    format: 'toehold-targets',
    version: 1,
    toehold: packageVersion(),
    target: run.kind,
    outputs: run.outputs,
    source: task.source,
    split: run.split,
    warnings: run.warnings,
    examples: { train: task.train.matrix.rows, test: task.test?.matrix.rows ?? 0 },
    methods: run.results.map(({ method, fit, test, validation, seconds }) => ({
      method: method.id,
      test,
      validation,
      tuned: fit.tuned,
      grid: fit.grid,
      features: fit.model.indices.length,
      taps: task.taps.flatMap(({ alias }, t) => ((fit.shares[t] ?? 0) > 0 ? [{ alias, share: fit.shares[t] }] : [])),
      converged: fit.converged,
      notes: fit.notes,
      seconds,
    })),
  };
}

/**
 * Writes targets.json, predictions.csv, each head as weights/<method>.npz, and record.json; what an earlier run left is removed.
 */
export async function writeValued(
  run: ValuedRun,
  record: RunRecord,
  normalisation: string,
  directory: string,
): Promise<void> {
  await emptyFolder(directory);
  const write = (file: string, content: string | Uint8Array) => writeFileAtomic({ root: directory, file }, content);
  await write('predictions.csv', await predictionsCsv(run));
  for (const result of run.results) await write(weightsFile(result.method.id), headNpz(headOf(result)));
  const pool = run.task.pool === undefined ? {} : { pool: run.task.pool };
  await write(valuedFile, `${JSON.stringify({ ...valuedJson(run), normalisation, ...pool }, null, 1)}\n`);
  await write(recordFile, `${JSON.stringify(record, null, 1)}\n`);
}

/** What is read back of targets.json. */
const Saved = z.object({
  format: z.literal('toehold-targets'),
  target: z.enum(['regression', 'multilabel']),
  outputs: z.array(z.string()).min(1),
  source: ProbeConfig.shape.source,
  normalisation: z.string(),
  pool: z.string().optional(),
  methods: z.array(z.object({ method: z.string() })),
});

/** What `probe --target` left in a folder; undefined where it left nothing. @throws UserError for a damaged file */
export async function readValued(directory: string): Promise<z.infer<typeof Saved> | undefined> {
  const path = join(directory, valuedFile);
  const value = await readJson(path, 'run toehold probe again');
  if (value === undefined) return undefined;
  const parsed = Saved.safeParse(value);
  if (!parsed.success) throw new UserError(`${path} is damaged: run toehold probe --target again`);
  return parsed.data;
}

/** A row an example and output: what is true, and what each method says. */
function predictionsCsv({ task, outputs, truth, results }: ValuedRun): Promise<string> {
  const q = outputs.length;
  const rows = (task.test?.files ?? []).flatMap((file, i) =>
    outputs.map((output, k) => [
      file,
      output,
      truth?.[i * q + k],
      ...results.map((own) => own.predictions?.[i * q + k]),
    ]),
  );
  return csv(['file', 'output', 'truth', ...results.map(({ method }) => method.id)], rows);
}

/** What a terminal shows. */
export function valuedTable(run: ValuedRun): string {
  const { kind, outputs, results, task } = run;
  const title = kind === 'regression' ? 'real values' : 'labels';
  const lines = [
    `${task.source.description}: ${outputs.length} ${outputs.length === 1 ? title.replace(/s$/, '') : title}, ${task.train.matrix.rows} training examples`,
    ...(kind === 'regression' ? regressionTable(results) : labelsTable(results)),
  ];
  const [best] = [...results].sort((a, b) => headline(b.validation) - headline(a.validation));
  if (best && outputs.length > 1) lines.push('', ...eachOutput(run, best));
  for (const { method, fit } of results) {
    const used = fit.shares.flatMap((share, t) => (share > 0 ? [{ share, alias: task.taps[t]?.alias }] : []));
    const top = used.sort((a, b) => b.share - a.share).slice(0, 5);
    if (method.sharesOf !== undefined) {
      const shares = top.map(({ share, alias }) => `${alias} ${roughPercent(share)}`);
      const more = used.length > 5 ? `, ${used.length - 5} more` : '';
      lines.push('', `${method.id}, shares of the ${method.sharesOf}: ${shares.join(', ')}${more}`);
    }
  }
  if (results.length > 1 && best) {
    lines.push('', `By left-out training examples ${best.method.id} is the one to take${comparedWith(best, results)}.`);
  }
  const notes = results.flatMap(({ method, fit }) => [
    ...fit.notes.map((text) => `${method.id}: ${text}`),
    ...(fit.converged ? [] : [`${method.id}: a solver did not reach its tolerance`]),
  ]);
  return [...lines, ...[...run.warnings, ...notes].map((text) => `note: ${text}`)].join('\n');
}

const figure = (v: number | undefined) => (v === undefined || Number.isNaN(v) ? '' : trueMinus(v.toFixed(3)));
const amount = (v: number | undefined) => (v === undefined ? '' : v.toPrecision(3));
const range = (interval: Interval | undefined) => (interval ? `${figure(interval[0])} to ${figure(interval[1])}` : '');
const seconds = (v: number) => v.toFixed(1);

function regressionTable(results: readonly ValuedResult[]): string[] {
  const own = (score: ValuedScore | undefined) => (score && 'r2' in score ? score : undefined);
  return textTable(
    ['method', 'test R2', '95 %', 'MAE', 'RMSE', 'Spearman', 'left-out R2', 'features', 'seconds'],
    results.map(({ method, test, validation, fit, seconds: time }) => [
      method.id,
      figure(own(test)?.r2),
      range(test?.interval),
      amount(own(test)?.mae),
      amount(own(test)?.rmse),
      figure(own(test)?.spearman),
      figure(own(validation)?.r2),
      String(fit.model.indices.length),
      seconds(time),
    ]),
  );
}

function labelsTable(results: readonly ValuedResult[]): string[] {
  const own = (score: ValuedScore | undefined) => (score && 'mAP' in score ? score : undefined);
  return textTable(
    ['method', 'test mAP', '95 %', 'VOC 11-point', 'macro F1', 'micro F1', 'left-out mAP', 'features', 'seconds'],
    results.map(({ method, test, validation, fit, seconds: time }) => [
      method.id,
      figure(own(test)?.mAP),
      range(test?.interval),
      figure(own(test)?.vocMAP),
      figure(own(test)?.macroF1),
      figure(own(test)?.microF1),
      figure(own(validation)?.mAP),
      String(fit.model.indices.length),
      seconds(time),
    ]),
  );
}

/** The outputs of one method, one by one; of many the first. */
function eachOutput({ outputs }: ValuedRun, { method, test, validation }: ValuedResult): string[] {
  const score = test ?? validation;
  const rows =
    'labels' in score
      ? score.labels.map((own, k) => [
          outputs[k] as string,
          String(own.positive),
          figure(own.averagePrecision),
          figure(own.f1),
          figure(own.calibrationError),
        ])
      : score.outputs.map((own, k) => [
          outputs[k] as string,
          figure(own.r2),
          amount(own.mae),
          amount(own.rmse),
          figure(own.spearman),
        ]);
  const header =
    'labels' in score
      ? ['label', 'examples', 'AP', 'F1', 'calibration error']
      : ['value', 'R2', 'MAE', 'RMSE', 'Spearman'];
  const most = 30;
  return [
    `${method.id}, ${test ? 'test' : 'left-out training'} examples:`,
    ...textTable(header, rows.slice(0, most)),
    ...(rows.length > most ? [`and ${rows.length - most} more, in ${valuedFile} and --json`] : []),
  ];
}

function comparedWith(best: ValuedResult, results: readonly ValuedResult[]): string {
  const linear = results.find(({ method }) => method.id === 'linear');
  if (!linear || linear === best) return '';
  const gap = headline(best.validation) - headline(linear.validation);
  return `: ${figure(gap)} above the last layer alone`;
}
