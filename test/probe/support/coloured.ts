/** Images whose colour tells their class, and a small network: what tests of exported probes start from. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import { Random } from '../../../src/base/index.js';
import { readDataset } from '../../../src/data/index.js';
import { extract, loadBackbone, requestOf } from '../../../src/features/index.js';
import { float32, GraphBuilder, writeModel } from '../../../src/graph/index.js';
import {
  type ProbeRun,
  probeRecord,
  runProbes,
  type ScoredTask,
  selectMethods,
  sourceDefaults,
  taskFromStore,
  writeProbeRun,
} from '../../../src/probe/index.js';
import type { RunRecord } from '../../../src/record/index.js';
import { testEngine } from '../../support/run.js';

/** Two convolutions with ReLU on 16 x 16 pixels, then the mean over space. */
export function network() {
  const random = new Random(1, 'network');
  const b = new GraphBuilder();
  const weights = (dims: number[]) =>
    b.constant(
      float32(
        dims,
        Array.from({ length: dims.reduce((x, y) => x * y, 1) }, () => 0.4 * random.normal()),
      ),
    );
  let x = b.input('x', 'float32', [null, 3, 16, 16]);
  x = b.op('Relu', [b.op('Conv', [x, weights([6, 3, 3, 3])], { pads: [1, 1, 1, 1], strides: [2, 2] })]);
  x = b.op('Relu', [b.op('Conv', [x, weights([8, 6, 3, 3])], { pads: [1, 1, 1, 1], strides: [2, 2] })]);
  b.output(b.op('Flatten', [b.op('GlobalAveragePool', [x])]), 'features');
  return b.build();
}

/** Noise over a colour that tells the class, of several sizes; every third has the network's. */
async function images(folder: string, split: string, perClass: number) {
  const random = new Random(2, split);
  for (const [c, name] of ['red', 'green', 'blue'].entries()) {
    const directory = join(folder, 'data', split, name);
    await mkdir(directory, { recursive: true });
    for (let i = 0; i < perClass; i++) {
      const [width, height] = i % 3 === 0 ? [16, 16] : [12 + random.integer(20), 12 + random.integer(20)];
      const data = Uint8Array.from({ length: width * height * 3 }, (_, at) =>
        Math.max(0, Math.min(255, 100 + (at % 3 === c ? 25 : 0) + 60 * random.normal())),
      );
      await sharp(data, { raw: { width, height, channels: 3 } })
        .png()
        .toFile(join(directory, `${i}.png`));
    }
  }
}

export interface ColouredRun {
  readonly task: ScoredTask;
  readonly run: ProbeRun;
  readonly record: RunRecord;
}

/** Writes net.onnx, data/, store/ and the probe run out/ into a folder. */
export async function colouredRun(folder: string): Promise<ColouredRun> {
  const engine = await testEngine();
  const [model, store] = [join(folder, 'net.onnx'), join(folder, 'store')];
  await writeFile(model, writeModel(network()));
  await writeFile(join(folder, 'preprocess.json'), JSON.stringify({ size: 16, mean: 0.5, std: 0.5 }));
  await images(folder, 'train', 12);
  await images(folder, 'test', 8);
  const dataset = await readDataset(join(folder, 'data'));
  await extract(await loadBackbone(model, engine), requestOf(dataset), engine, {
    output: store,
    pool: 'gap,target:64',
    quiet: true,
  });
  const task = await taskFromStore(store, { ...sourceDefaults, pools: ['gap', 'target:64'] });
  const run = await runProbes(engine, task.task, selectMethods('linear,all-l2,head2toe,centroid'), {
    folds: 3,
    lambdaCount: 6,
    lambdaRatio: 0.1,
    fractions: [0.05, 0.2],
  });
  const record = probeRecord(engine, run, task, 'toehold probe store -o out');
  await writeProbeRun(run, record, task.targets, join(folder, 'out'));
  return { task, run, record };
}
