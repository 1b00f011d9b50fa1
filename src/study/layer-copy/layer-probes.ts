/** What the layers of two base networks know of a half, and how alike they are. */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { WorkError } from '../../base/index.js';
import { nestedSubset } from '../../data/index.js';
import type { Engine } from '../../engine/index.js';
import {
  type Backbone,
  type ExtractionRequest,
  extract,
  loadBackbone,
  openStore,
  tapsOf,
} from '../../features/index.js';
import { learnedLayers } from '../../graph/index.js';
import { probeDefaults, runProbes, sourceDefaults, tapSheets, taskFromStore } from '../../probe/index.js';
import { storeTapSheet } from '../../record/index.js';
import { debiasedCka, linearKernel } from '../../stats/index.js';
import type { UnitContext } from '../runner.js';
import { copy, type LayersInputs, type LayersResult } from './kinds.js';
import { modelFile } from './lessons.js';
import type { CopyWorld } from './world.js';

/** Linear probes on every layer of both base networks, on the half that is learned, and the likeness of their layers. */
export async function probeLayers(world: CopyWorld, inputs: LayersInputs, context: UnitContext): Promise<LayersResult> {
  const { engine, task, halves } = world;
  const half = halves.of(inputs.target.split, inputs.target.half);
  const { classes } = half;
  const bases = context.needs.filter((r) => r.kind === copy.name);
  const kept = nestedSubset(
    { labels: half.labels, classes },
    { perClass: Math.max(2, Math.floor(inputs.rows / classes.length)), seed: 0 },
  );
  const trainRows = kept.map((i) => half.train[i] as number);
  const request: ExtractionRequest = {
    root: task.root,
    classes,
    inputs: [...trainRows.map((i) => at(task.train.inputs, i)), ...half.test.map((i) => at(task.test.inputs, i))],
    splits: [
      { name: 'train', rows: trainRows.map((_, i) => i), labels: kept.map((i) => half.labels[i] as number) },
      { name: 'test', rows: half.test.map((_, i) => trainRows.length + i) },
    ],
    warnings: [],
  };
  const found = [];
  for (const [which, base] of bases.entries()) {
    const model = await loadBackbone(join(context.run.unit(base.id), modelFile), engine);
    const output = join(context.folder, `features-${which}`);
    const named = await namesIn(model, engine, inputs.layers);
    await extract(model, request, engine, { output, taps: named.join(','), pool: inputs.pool, quiet: true });
    const source = { ...sourceDefaults, normalisation: probeDefaults.normalisation, holdout: 0 };
    const { task: probed } = await taskFromStore(output, source);
    const run = await runProbes(engine, probed, [], {
      ...inputs.options,
      seed: inputs.seed,
      perTap: 'alone',
      progress: (note) => context.progress((which + 0.5) / bases.length, note),
    });
    const sheets = new Map(tapSheets(run).map((s) => [s.alias, storeTapSheet(s)]));
    const store = await openStore(output);
    const kernels: Float64Array[] = [];
    const own = [];
    for (const name of named) {
      const tap = store.meta.taps.find((t) => t.name === name || t.alias === name);
      const sheet = tap && sheets.get(tap.alias);
      if (!tap || !sheet) throw new WorkError(`layer '${name}' left no features`);
      const n = Math.min(likenessRows, half.test.length);
      kernels.push(linearKernel(rowMajor(await store.read('test', tap), half.test.length, n), n));
      own.push(sheet);
    }
    found.push({ sheets: own, kernels });
    await rm(output, { recursive: true, force: true });
  }
  const [own, other] = found;
  if (!own || !other) throw new WorkError(`${context.unit.label} needs two base networks`);
  return {
    layers: inputs.layers.map((n, i) => ({
      n,
      own: at(own.sheets, i),
      other: at(other.sheets, i),
      cka: debiasedCka(at(own.kernels, i), at(other.kernels, i)),
    })),
  };
}

/** Test images that layers are compared on. */
const likenessRows = 500;

const at = <T>(items: readonly T[], i: number): T => items[i] as T;

/** The first `count` examples of features (p, n), as (count, p). */
function rowMajor(features: Float32Array, n: number, count: number): Float64Array {
  const p = features.length / n;
  const rows = new Float64Array(count * p);
  for (let j = 0; j < p; j++) for (let i = 0; i < count; i++) rows[i * p + j] = features[j * n + i] as number;
  return rows;
}

/** The values in a trained file that are the ends of its layers. */
async function namesIn(model: Backbone, engine: Engine, numbers: readonly number[]): Promise<string[]> {
  const { network } = await tapsOf(model, engine);
  const found = learnedLayers(network.graph);
  return numbers.map((n) => found[n - 1]?.value ?? '');
}
