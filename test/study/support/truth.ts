/**
 * Opens every file that a study left and compares the labels and accuracies in it with the truth. A file of a kind that
 * nobody looks into is a failure: whoever writes a new one says here how it is checked.
 */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { expect } from 'vitest';
import { parsePreprocess, readDataset } from '../../../src/data/index.js';
import { readNpyData, readNpyHeader } from '../../../src/features/index.js';
import { storeSchema } from '../../../src/features/store.js';
import { float32, readModelFile, toNumbers } from '../../../src/graph/index.js';
import { classesOf, type DoneCell, type RunRecord, readRecord, type StoredSheet } from '../../../src/record/index.js';
import { extraction, probe, resultOf, scoring, training, type UnitRecord } from '../../../src/study/index.js';
import { loadImages } from '../../../src/transfer/index.js';
import { testEngine } from '../../support/run.js';
import { filesOf } from './files.js';

/** What a data set says of its images, read by nobody but this file. */
export interface Truth {
  readonly root: string;
  readonly classes: readonly string[];
  /** Class of every image by its path. */
  readonly labels: ReadonlyMap<string, number>;
}

/** From a labels.csv of `file,label,class`. */
export async function truthOf(root: string): Promise<Truth> {
  const rows = (await readFile(join(root, 'labels.csv'), 'utf8'))
    .trim()
    .split('\n')
    .slice(1)
    .map((line) => line.split(',') as [string, string, string]);
  const classes: string[] = [];
  for (const [, label, name] of rows) classes[Number(label)] = name;
  return { root, classes, labels: new Map(rows.map(([file, label]) => [file, Number(label)])) };
}

/** @returns how many files of each kind were looked into */
export async function auditRun(folder: string, truth: Truth): Promise<Record<string, number>> {
  const audit = new Audit(folder, truth, await readRecord(folder));
  const seen: Record<string, number> = {};
  for (const file of await filesOf(folder)) {
    const kind = kinds.find(([, pattern]) => pattern.test(file));
    if (!kind) throw new Error(`${file}: nobody says how labels in it are checked`);
    const [name] = kind;
    seen[name] = (seen[name] ?? 0) + 1;
    await audit[name](file);
  }
  return seen;
}

const kinds = [
  ['meta', /^features\/[^/]+\/meta\.json$/],
  ['storedLabels', /^features\/[^/]+\/[^/]+\/labels\.npy$/],
  ['features', /^features\/[^/]+\/.*\.npy$/],
  ['stamps', /^features\/[^/]+\/\.stamps\.json$/],
  ['verified', /^features\/[^/]+\/\.verified\.json$/],
  ['model', /^units\/train-[^/]+\/model\.onnx$/],
  ['curve', /^units\/(train|trial)-[^/]+\/log\.jsonl$/],
  ['selection', /^units\/probe-[^/]+\/selection\.json$/],
  ['unit', /^units\/[^/]+\/record\.json$/],
  ['record', /^record\.json$/],
  ['predictions', /^predictions\.csv$/],
  ['run', /^run\.json$/],
] as const satisfies readonly (readonly [keyof Audit, RegExp])[];

/** The classes that a sheet says of test examples. */
export const predictedIn = ({ predictions }: StoredSheet): readonly number[] | undefined =>
  predictions?.kind === 'class' ? predictions.predicted : undefined;

class Audit {
  constructor(
    readonly folder: string,
    readonly truth: Truth,
    readonly found: RunRecord,
  ) {}

  json(file: string): Promise<unknown> {
    return readFile(join(this.folder, file), 'utf8').then(JSON.parse);
  }

  /** True classes of the test images, in the order of the store. */
  async testLabels(): Promise<number[]> {
    const [store] = (await filesOf(this.folder)).filter((f) => /^features\/[^/]+\/meta\.json$/.test(f));
    const meta = storeSchema.parse(await this.json(store as string));
    return this.labelsOf(meta.splits.test?.files ?? []);
  }

  labelsOf(files: readonly string[]): number[] {
    return files.map((file) => this.truth.labels.get(file) as number);
  }

  accuracy(predicted: ArrayLike<number>, labels: readonly number[]): number {
    expect(predicted.length).toBe(labels.length);
    return labels.filter((label, i) => label === predicted[i]).length / labels.length;
  }

  /** A store knows the labels of what is trained on and of nothing else. */
  async meta(file: string): Promise<void> {
    const meta = storeSchema.parse(await this.json(file));
    expect(meta.classes).toEqual(this.truth.classes);
    expect(Object.keys(meta.splits)).toEqual(['train', 'test']);
    expect(meta.splits.train?.labels).toEqual(this.labelsOf(meta.splits.train?.files ?? []));
    expect(meta.splits.test).not.toHaveProperty('labels');
    expect(meta.splits.test?.extra ?? []).toEqual([]);
  }

  async storedLabels(file: string): Promise<void> {
    const meta = storeSchema.parse(await this.json(file.replace(/[^/]+\/labels\.npy$/, 'meta.json')));
    expect(file).toMatch(/\/train\/labels\.npy$/);
    const path = join(this.folder, file);
    const labels = readNpyData(path, readNpyHeader(path)) as ArrayLike<number | bigint>;
    expect(Array.from(labels, Number)).toEqual(this.labelsOf(meta.splits.train?.files ?? []));
  }

  /** Activations of ReLUs and the like: as wide as meta.json says, and no column of class numbers. */
  async features(file: string): Promise<void> {
    const meta = storeSchema.parse(await this.json(file.replace(/^(features\/[^/]+)\/.*$/, '$1/meta.json')));
    const name = file.split('/').slice(2).join('/');
    const tap = meta.taps.find((t) => Object.values(t.file).includes(name));
    const [split] = Object.entries(tap?.file ?? {}).find(([, f]) => f === name) ?? [];
    expect(readNpyHeader(join(this.folder, file)).shape).toEqual([meta.splits[split ?? '']?.n, tap?.features]);
  }

  /** Sizes, times of change and hashes of the store's own files, and nothing else. */
  async verified(file: string): Promise<void> {
    const store = dirname(join(this.folder, file));
    for (const [name, [size, , sha256]] of Object.entries(
      (await this.json(file)) as Record<string, [number, number, string]>,
    )) {
      const bytes = await readFile(join(store, name));
      expect([name, size, sha256]).toEqual([name, bytes.length, createHash('sha256').update(bytes).digest('hex')]);
    }
  }

  async stamps(file: string): Promise<void> {
    for (const [path, stamp] of Object.entries((await this.json(file)) as Record<string, unknown>)) {
      expect(this.truth.labels.has(path.slice(this.truth.root.length + 1))).toBe(true);
      expect(stamp).toEqual([expect.any(Number), expect.any(Number), expect.stringMatching(/^[0-9a-f]{64}$/)]);
    }
  }

  /** Epochs of training: numbers of the training images, and nothing of the test's. */
  async curve(file: string): Promise<void> {
    const lines = (await readFile(join(this.folder, file), 'utf8')).trim().split('\n');
    const keys = new Set(lines.flatMap((line) => Object.keys(JSON.parse(line) as object)));
    expect([...keys].filter((key) => !['epoch', 'step', 'learningRate', 'loss', 'accuracy'].includes(key))).toEqual([]);
  }

  /** The trained network says what it was trained to do, claims no test figure, names no folder, and predicts what was scored. */
  async model(file: string): Promise<void> {
    const path = join(this.folder, file);
    const bytes = await readFile(path);
    for (const place of [this.folder, this.truth.root, process.cwd(), process.env.HOME ?? 'HOME']) {
      expect([file, place, bytes.includes(place)]).toEqual([file, place, false]);
    }
    const graph = await readModelFile(path);
    const metadata = Object.fromEntries([...graph.metadata].map(([key, text]) => [key, JSON.parse(text) as unknown]));
    expect(Object.keys(metadata).sort()).toEqual(['toehold.classes', 'toehold.preprocess', 'toehold.training']);
    expect(metadata['toehold.classes']).toEqual(this.truth.classes);
    expect(metadata['toehold.training']).not.toHaveProperty('test');
    const unit = (await this.json(file.replace('model.onnx', 'record.json'))) as UnitRecord;
    const { sheet, steps } = resultOf(training, unit);
    expect(metadata['toehold.training']).toMatchObject({ steps, seed: training.inputs.parse(unit.inputs).seed });
    expect(await this.answersOf(path, metadata['toehold.preprocess'])).toEqual(sheet && predictedIn(sheet));
  }

  /** What an exported network says of the test images. */
  private async answersOf(path: string, given: unknown): Promise<number[]> {
    const preprocess = parsePreprocess(given, path);
    const { examples } = await readDataset(this.truth.root);
    const images = await loadImages(
      examples.filter((e) => e.split === 'test'),
      preprocess,
    );
    const [height, width] = images.size;
    const n = images.files.length;
    const pixels = new Uint8Array(n * height * width * 3);
    await images.read(
      images.files.map((_, i) => i),
      pixels,
    );
    const { mean, std } = preprocess;
    const values = new Float32Array(pixels.length);
    for (let i = 0; i < n; i++) {
      for (let at = 0; at < height * width; at++) {
        for (let c = 0; c < 3; c++) {
          const v = (pixels[(i * height * width + at) * 3 + c] as number) / 255;
          values[(i * 3 + c) * height * width + at] = (v - (mean[c] as number)) / (std[c] as number);
        }
      }
    }
    const engine = await testEngine();
    const graph = await readModelFile(path);
    const program = await engine.compile(graph);
    const input = graph.inputs.find((value) => !graph.constants.has(value.name))?.name as string;
    const outputs = await program.run({ [input]: float32([n, 3, height, width], values) });
    await program.dispose();
    const K = this.truth.classes.length;
    const logits = Object.values(outputs).find((tensor) => tensor.dims[1] === K);
    expect(logits?.dims).toEqual([n, K]);
    const z = logits ? toNumbers(logits) : [];
    return images.files.map((_, i) => {
      const row = Array.from(z.slice(i * K, (i + 1) * K));
      return row.indexOf(Math.max(...row));
    });
  }

  /** Which features, and a head of their width. */
  async selection(file: string): Promise<void> {
    const { taps, head, ...rest } = (await this.json(file)) as {
      taps: { tap: string; indices: number[] }[];
      head: { weight: string; bias: string };
    };
    expect(rest).toEqual({});
    const unit = (await this.json(file.replace('selection.json', 'record.json'))) as UnitRecord;
    const { sheet } = resultOf(probe, unit);
    const width = taps.reduce((sum, tap) => sum + tap.indices.length, 0);
    expect(width).toBe(sheet?.cell.features);
    const K = this.truth.classes.length;
    const floats = (text: string) => Buffer.from(text, 'base64').length / 4;
    expect([floats(head.weight), floats(head.bias)]).toEqual([K * width, K]);
  }

  async unit(file: string): Promise<void> {
    const record = (await this.json(file)) as UnitRecord;
    const labels = await this.testLabels();
    if (record.kind === scoring.name) await this.scores(record, labels);
    else {
      expect(knowing(record.result)).toEqual([]);
      if (record.kind === extraction.name) {
        expect(resultOf(extraction, record).images).toBe(this.truth.labels.size);
      }
    }
  }

  /** A score is the share of right answers of the unit that it scores. */
  private async scores(record: UnitRecord, labels: readonly number[]): Promise<void> {
    const { cell, predicted, taps } = resultOf(scoring, record);
    const needed = (await this.json(`units/${record.needs[0]}/record.json`)) as UnitRecord;
    const { sheet, taps: answers = [] } =
      needed.kind === probe.name ? resultOf(probe, needed) : { sheet: resultOf(training, needed).sheet };
    expect(cell === undefined).toBe(sheet === undefined);
    if (cell && sheet) this.scoredCell(cell, sheet, predicted ?? [], labels);
    for (const { alias, alone, withLast } of taps) {
      const own = answers.find((t) => t.alias === alias);
      expect(alone?.score).toBe(this.accuracy(own?.alone.predictions?.predicted ?? [], labels));
      expect(withLast?.score).toBe(own?.withLast && this.accuracy(own.withLast.predictions?.predicted ?? [], labels));
    }
  }

  private scoredCell(
    cell: DoneCell,
    sheet: StoredSheet,
    predicted: readonly number[],
    labels: readonly number[],
  ): void {
    const { alternatives } = sheet;
    if (alternatives) {
      const scores = alternatives.map((a) => this.accuracy(a.predictions.predicted, labels));
      expect(cell.score).toBe(Math.max(...scores));
      expect(cell.settings?.tap).toBe(alternatives[scores.indexOf(Math.max(...scores))]?.name);
    } else {
      expect(predicted).toEqual(predictedIn(sheet));
      expect(cell.score).toBe(this.accuracy(predicted, labels));
    }
    this.inside(cell.score, cell.interval);
    cell.selection?.rankWindows?.forEach((window, i) => {
      expect(window.score).toBe(this.accuracy(sheet.windows?.[i]?.predicted ?? [], labels));
    });
  }

  private inside(score: number | undefined, interval: readonly [number, number] | undefined): void {
    expect(interval?.[0]).toBeLessThanOrEqual(score as number);
    expect(interval?.[1]).toBeGreaterThanOrEqual(score as number);
  }

  /** The record: its labels are the truth, its scores those of the predictions beside them. */
  async record(): Promise<void> {
    const labels = await this.testLabels();
    for (const { testLabels, cells, predictions = [], target, examples, taps = [] } of this.found.tasks) {
      expect(classesOf(target)).toEqual(this.truth.classes);
      expect(testLabels).toEqual(labels);
      expect(examples.train + examples.test).toBe(this.truth.labels.size);
      for (const cell of cells) {
        if (cell.status !== 'done') throw new Error(`${cell.method} is not done`);
        const rows = predictions.filter((p) => p.method === cell.method);
        const scores = rows.map((row) => this.accuracy(row.predicted ?? [], labels));
        expect(cell.score).toBe(scores.reduce((a, b) => a + b, 0) / scores.length);
        this.inside(cell.score, cell.interval);
      }
      for (const { alone, withLast } of taps) {
        for (const tap of [alone, withLast]) if (tap) this.inside(tap.score, tap.interval);
      }
    }
  }

  async predictions(file: string): Promise<void> {
    const [header, ...rows] = (await readFile(join(this.folder, file), 'utf8')).trim().split('\n');
    expect(header).toBe('task,method,seed,per class,file,label,predicted,correct');
    const { classes, labels } = this.truth;
    const right = new Map<string, number>();
    for (const row of rows) {
      const [, method, , , image, label, predicted, correct] = row.split(',');
      expect(label).toBe(classes[labels.get(image as string) as number]);
      expect(correct).toBe(predicted === label ? '1' : '0');
      right.set(method as string, (right.get(method as string) ?? 0) + Number(correct));
    }
    for (const task of this.found.tasks) {
      for (const cell of task.cells) {
        const n = rows.filter((row) => row.split(',')[1] === cell.method).length;
        expect(cell.status === 'done' && cell.score).toBe((right.get(cell.method) as number) / n);
      }
    }
  }

  /** What to repeat the run with: sizes and fingerprints, no label and no figure. */
  async run(file: string): Promise<void> {
    const { tasks, units, ...rest } = (await this.json(file)) as {
      tasks: { train: number; test: number; classes: number }[];
      units: object[];
    };
    for (const { train, test, classes } of tasks) {
      expect([train + test, classes]).toEqual([this.truth.labels.size, this.truth.classes.length]);
    }
    for (const unit of units) expect(Object.keys(unit)).toEqual(['id', 'kind', 'label', 'needs', 'seconds']);
    // The config's `test` and `labels` are budgets.
    expect(knowing({ ...rest, budgets: undefined, config: undefined })).toEqual([]);
  }
}

/** Validation figures, under their names in results. */
const validation =
  /^(grid\.\d+\.accuracy|selection\.keepFractions\.points\.\d+\.score|trainAccuracy|attribution\.\d+\.leftOut\.(score|logLoss))$/;

/** Paths in a value that claim to know a label or a score, beside what comes from training examples. */
export function knowing(value: unknown): string[] {
  const paths: string[] = [];
  const walk = (at: unknown, path: string) => {
    if (at === null || typeof at !== 'object') return;
    for (const [key, inner] of Object.entries(at)) {
      const here = path === '' ? key : `${path}.${key}`;
      if (
        /^(labels?|testLabels|targets?|accuracy|\w+Accuracy|score|interval|correct|test|suspect|logLoss)$/.test(key)
      ) {
        if (inner !== undefined) paths.push(here);
      }
      walk(inner, here);
    }
  };
  walk(value, '');
  const inGrid = (path: string) => /(^|\.)grid\.\d+\.(accuracy|logLoss)$/.test(path);
  return paths.filter((path) => !validation.test(path.replace(/^sheet\.cell\./, '')) && !inGrid(path));
}
