/** From images to a deployable head: extract, probe, export, predict agree. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Random } from '../../src/base/index.js';
import { readDataset } from '../../src/data/index.js';
import { extract, loadBackbone, requestOf } from '../../src/features/index.js';
import { readModelFile, type Tensor, writeModel } from '../../src/graph/index.js';
import {
  efficientDefaults,
  exportProbe,
  fusionGrids,
  type ProbeRun,
  predictImages,
  probeRecord,
  runProbes,
  type ScoredTask,
  selectMethods,
  sourceDefaults,
  taskFromStore,
  writeProbeRun,
} from '../../src/probe/index.js';
import { readNpz } from '../../src/probe/npz.js';
import { done, type RunRecord, readRecord } from '../../src/record/index.js';
import { toehold } from '../support/cli.js';
import { predictByTfjs } from '../support/graph-model.js';
import { difference, runOnce, testEngine } from '../support/run.js';
import { colouredRun, network } from './support/coloured.js';

let folder: string;
let task: ScoredTask;
let run: ProbeRun;
let record: RunRecord;
const model = () => join(folder, 'net.onnx');
const out = () => join(folder, 'out');

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'toehold export '));
  ({ task, run, record } = await colouredRun(folder));
}, 60_000);
afterAll(() => rm(folder, { recursive: true, force: true }));

/** The exported head of a method says of every test image what the probe says of its features. */
async function expectSameAnswers(probed: ProbeRun, directory: string, method: string): Promise<void> {
  const engine = await testEngine();
  const { graph } = await exportProbe(engine, directory, { method });
  const path = join(folder, `${method}.onnx`);
  await writeFile(path, writeModel(graph));
  const result = probed.results.find((r) => r.method.card.id === method);
  const files = probed.task.test?.files.map((file) => join(folder, 'data', file)) ?? [];
  // The file resizes to the store's very pixels.
  let i = 0;
  for await (const prediction of predictImages(engine, path, files)) {
    if (!('ranking' in prediction)) throw new Error(`no classes of ${prediction.file}`);
    for (const { class: name, probability } of prediction.ranking) {
      const k = probed.task.classes.indexOf(name);
      expect(probability).toBeCloseTo(result?.predictions?.probabilities?.[i * 3 + k] as number, 4);
    }
    i++;
  }
  expect(i).toBe(24);
}

describe('what probe -o leaves', () => {
  test('a record that holds the figures of the run', async () => {
    const read = await readRecord(out());
    expect(read).toEqual(record);
    const [found] = read.tasks;
    expect(found?.cells.map((c) => [c.method, c.status])).toEqual([
      ['linear', 'done'],
      ['all-l2', 'done'],
      ['head2toe', 'done'],
      ['centroid', 'done'],
    ]);
    const head2toe = found && done(found, 'head2toe');
    const result = run.results[2];
    const { predicted = [] } = result?.predictions ?? {};
    const labels = task.targets?.labels ?? [];
    const right = Array.from(labels).filter((label, i) => predicted[i] === label).length;
    expect(head2toe?.score).toBe(right / 24);
    expect(head2toe?.interval).toHaveLength(2);
    expect(Object.keys(head2toe?.path?.points[0] ?? {})).toEqual(
      expect.arrayContaining(['lambda', 'ratio', 'objective', 'gap', 'nonzero', 'seconds']),
    );
    expect(head2toe).toMatchObject({
      features: result?.fit.selection?.features.length,
      converged: true,
      validation: result?.fit.estimate?.accuracy,
      validationBest: result?.fit.validation?.accuracy,
    });
    expect(found?.testLabels).toEqual(Array.from(labels));
    expect(found?.predictions?.map((row) => row.method)).toEqual(['linear', 'all-l2', 'head2toe', 'centroid']);
  });

  test('selection.csv says which feature of which tap, where on the map', async () => {
    const [header, first] = (await readFile(join(out(), 'selection.csv'), 'utf8')).split('\n');
    expect(header).toBe('method,feature,tap,channel,row,column,score,rank,entry lambda,frequency');
    expect(first).toMatch(/^head2toe,\d+,(s\d\.b\d\.act1|features),\d+,\d+,\d+,[\d.e-]+,1,[\d.e-]+,[\d.]+$/);
  });

  test('predictions.csv has a line for every method and test image', async () => {
    const lines = (await readFile(join(out(), 'predictions.csv'), 'utf8')).trim().split('\n');
    expect(lines).toHaveLength(1 + 4 * 24);
    expect(lines[1]).toMatch(/^linear,test\/\w+\/\d+\.png,\w+,\w+,[01],/);
  });
});

describe.each(['linear', 'all-l2', 'head2toe'])('the exported file of %s', (method) => {
  test('carries the temperature that validation found, beside weights that are the solver’s', async () => {
    const result = run.results.find((r) => r.method.card.id === method);
    const { temperature } = await readNpz(join(out(), 'weights', `${method}.npz`));
    expect(temperature?.data[0]).toBe(result?.fit.temperature);
    expect(Math.abs((temperature?.data[0] as number) - 1)).toBeGreaterThan(0.005);
    expect(done(record.tasks[0] as RunRecord['tasks'][number], method)?.temperature).toBe(result?.fit.temperature);
  });

  test('gives the probabilities of the probe for images of any size', () => expectSameAnswers(run, out(), method));
});

test('the exported file names its classes and what it comes from, and no folder of this machine', async () => {
  const { graph } = await exportProbe(await testEngine(), out());
  const path = join(folder, 'named.onnx');
  await writeFile(path, writeModel(graph));
  const bytes = await readFile(path);
  for (const place of [folder, tmpdir(), process.cwd()]) expect([place, bytes.includes(place)]).toEqual([place, false]);
  const { metadata } = await readModelFile(path);
  expect(JSON.parse(metadata.get('toehold.classes') ?? '')).toEqual(run.task.classes);
  expect(metadata.get('toehold.method')).toBe('head2toe');
  expect([...metadata.keys()].filter((key) => /test|accuracy|score/.test(key))).toEqual([]);
});

test('the exported file holds no more of the network than its taps need', async () => {
  const engine = await testEngine();
  const path = join(folder, 'shallow.onnx');
  // The first tap alone, as if nothing else had been selected.
  const features = run.task.taps[0]?.features as number;
  const shallow = { ...run.results[1]?.fit.model, indices: Int32Array.from({ length: features }, (_, j) => j) };
  const weights = shallow.weights?.slice(0, features * 3) as Float64Array;
  const folder2 = join(folder, 'shallow');
  const result = run.results[1] as ProbeRun['results'][number];
  const fit = { ...result.fit, model: { ...shallow, weights } as NonNullable<typeof result.fit.model> };
  const own = { ...run, results: [{ ...result, fit }] };
  await writeProbeRun(own, probeRecord(engine, own, task, 'a test'), task.targets, folder2);
  await writeFile(path, writeModel((await exportProbe(engine, folder2)).graph));
  const convolutions = (await readModelFile(path)).nodes.filter((n) => n.op === 'Conv' || n.op === 'FusedConv');
  expect(convolutions).toHaveLength(1);
});

describe('a store of several target sizes', () => {
  const weighing = [
    'linear',
    'best-tap',
    'all-ridge',
    'tap-ridge',
    'stack',
    'auto',
    'attentive-fusion',
    'efficient-probing',
    'loes',
  ];
  const fusion = { ...fusionGrids.compact, learningRates: [1e-2], weightDecays: [1e-3], epochs: 5, steps: 60 };
  const efficient = { ...efficientDefaults, queries: [3], learningRates: [1e-2], epochs: 5, steps: 60 };
  const wide = () => join(folder, 'wide');
  let several: ProbeRun;
  beforeAll(async () => {
    const engine = await testEngine();
    const request = requestOf(await readDataset(join(folder, 'data')));
    const pool = 'gap,std,target:32,target:300';
    await extract(await loadBackbone(model(), engine), request, engine, { output: wide(), pool, quiet: true });
    const scored = await taskFromStore(wide(), sourceDefaults);
    several = await runProbes(engine, scored.task, selectMethods([...weighing, 'all-l2'].join()), {
      folds: 3,
      fusion,
      efficient,
    });
    await writeProbeRun(
      several,
      probeRecord(engine, several, scored, 'toehold probe'),
      scored.targets,
      `${wide()}-out`,
    );
  });
  const fitOf = (method: string) => several.results.find((r) => r.method.card.id === method);

  test('gives methods that weigh taps every pooling as a tap, and others the best one', () => {
    const aliases = fitOf('tap-ridge')?.task.taps.map((tap) => tap.alias);
    expect(aliases).toEqual([
      ...['gap', 'std', '32', '300'].map((pool) => `s1.b1.act1@${pool}`),
      ...['gap', 'std', '32', '300'].map((pool) => `s2.b1.act1@${pool}`).filter((alias) => aliases?.includes(alias)),
      'features',
    ]);
    expect(['target:32', 'target:300']).toContain(fitOf('all-l2')?.task.pool);
    expect(fitOf('auto')?.task.pool).toBe('each');
  });

  test.each(weighing)('and the exported file of %s reads the same poolings', (method) =>
    expectSameAnswers(several, `${wide()}-out`, method),
  );
});

describe('export refuses', () => {
  test('a method that is no linear probe', async () => {
    await expect(exportProbe(await testEngine(), out(), { method: 'centroid' })).rejects.toThrow(
      'neither a linear probe',
    );
  });
  test('a method that the run does not have', async () => {
    await expect(exportProbe(await testEngine(), out(), { method: 'head2to' })).rejects.toThrow(
      "did you mean 'head2toe'?",
    );
  });
  test('another model', async () => {
    const other = join(folder, 'other.onnx');
    await writeFile(other, writeModel({ ...network(), name: 'another' }));
    await expect(exportProbe(await testEngine(), out(), { model: other })).rejects.toThrow('another model');
  });
  test('a folder without a run', async () => {
    await expect(exportProbe(await testEngine(), folder)).rejects.toThrow('record.json');
  });
  test('a file that was not exported', async () => {
    const files = [join(folder, 'data', 'test', 'red', '0.png')];
    await expect(predictImages(await testEngine(), model(), files).next()).rejects.toThrow('toehold export');
  });
});

test('--format tfjs: pages that run TensorFlow.js get the same probabilities for an image of the network’s size', async () => {
  const target = join(folder, 'tfjs');
  const { code, stdout } = await toehold('export', out(), '--format', 'tfjs', '-o', target, '--json');
  expect(code).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({ file: join(target, 'model.json'), input: [1, 16, 16, 3] });
  const onnx = join(folder, 'beside.onnx');
  expect((await toehold('export', out(), '-o', onnx)).code).toBe(0);
  const random = new Random(6, 'pixels');
  const pixels = Uint8Array.from({ length: 16 * 16 * 3 }, () => random.integer(256));
  const image: Tensor = { type: 'uint8', dims: [16, 16, 3], data: pixels };
  const { probabilities } = await runOnce(await readModelFile(onnx), { image });
  const found = await predictByTfjs(join(target, 'model.json'), [1, 16, 16, 3], Float32Array.from(pixels));
  expect(difference(probabilities, found.probabilities)).toBeLessThan(1e-5);
});
