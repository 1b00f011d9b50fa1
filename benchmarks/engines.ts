/**
 * The engines that can be had here beside each other, on the same work in one run: the tapped extraction, the solver's path
 * and the step of training. One thread each, rounds in turn; minima over the rounds. A native build of TensorFlow.js and the
 * portable backends do not share a process: where one is installed it has a process of its own, beside onnxruntime there.
 * `npm run bench:engines [-- rounds]`
 */
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { Random } from '../src/base/index.js';
import { parsePreprocess } from '../src/data/index.js';
import { createEngine, type EngineOptions } from '../src/engine/index.js';
import { findNative } from '../src/engine/tfjs/library.js';
import { compilePass, parsePool, pixelShape, poolTaps, tapsOf } from '../src/features/index.js';
import { readNetwork, selectTaps, sizeOf } from '../src/graph/index.js';
import { FeatureMatrix, fitDesign, solvePath } from '../src/solver/index.js';
import { assets, type ResultRow, writeResults } from './support.js';
import { buildStep } from './train-step-work.js';

const rounds = Number(process.argv[2] ?? 3);
/** Which sides this process measures; without, it is the one that begins them. */
const side = process.env.TOEHOLD_BENCH_SIDES as 'portable' | 'native' | undefined;
interface Side {
  readonly name: string;
  readonly options: Partial<EngineOptions>;
}
const sides: Side[] = [
  { name: 'onnxruntime', options: {} },
  ...(side === 'native'
    ? [{ name: 'tfjs-node', options: { engine: 'tfjs', device: 'cpu' } } as const]
    : ([
        { name: 'tfjs-wasm', options: { engine: 'tfjs', device: 'wasm' } },
        { name: 'tfjs-javascript', options: { engine: 'tfjs', device: 'javascript' } },
      ] as const)),
];

/** Runs once for every call; answers seconds. */
type Work = () => Promise<number>;
const timed = (run: () => Promise<unknown>): Work => {
  return async () => {
    const start = performance.now();
    await run();
    return (performance.now() - start) / 1000;
  };
};

async function extraction(network: string, size: number, batch: number, { options }: Side): Promise<Work> {
  const engine = await createEngine({ ...options, threads: 1 });
  const path = `${assets}/backbones/${network}/model.onnx`;
  const preprocess = parsePreprocess({ size }, 'benchmark');
  const backbone = { graph: await readNetwork(path, engine), path, preprocess };
  const items = parsePool('gap');
  const taps = poolTaps(selectTaps((await tapsOf(backbone, engine)).taps), items);
  const { program } = await compilePass(engine, { backbone, taps, items, batch });
  const dims = pixelShape(preprocess, batch);
  const data = new Uint8Array(sizeOf(dims)).map((_, i) => i * 7);
  return timed(() => program.run({ [program.inputs[0] as string]: { type: 'uint8', dims, data } }));
}

async function training(name: string, { options }: Side): Promise<Work> {
  const { engine, graph, feeds } = await buildStep(name, 1, options);
  const program = await engine.compile(graph, { planMemory: false });
  return timed(() => program.run(feeds));
}

/** The certified path of group lasso to a tenth of the largest penalty: products of the engine, and what lies between them. */
async function path({ options }: Side): Promise<Work> {
  const engine = await createEngine({ ...options, threads: 1 });
  const [n, p, classes] = [500, 2000, 10];
  const random = new Random(1);
  const labels = Int32Array.from({ length: n }, (_, i) => i % classes);
  // A tenth of the features know the class.
  const values = Float32Array.from({ length: n * p }, (_, i) => {
    const [feature, row] = [Math.floor(i / n), i % n];
    const signal = feature % 10 === 0 && labels[row] === Math.floor(feature / 10) % classes ? 1 : 0;
    return random.normal() + signal;
  });
  return timed(async () => {
    const matrix = new FeatureMatrix([{ name: 'x', features: p, data: values }], n);
    const design = await fitDesign(engine, matrix);
    await solvePath(engine, design, labels, { ratio: 0.1 });
  });
}

const tasks: {
  title: string;
  detail: string;
  count: number;
  unit: string;
  make: (side: Side) => Promise<Work>;
  large?: true;
}[] = [
  {
    title: 'tapped extraction, MobileNetV2',
    detail: '96 px, batch 4, all taps',
    count: 4,
    unit: 'images/s',
    large: true,
    make: (side) => extraction('mobilenetv2_tf', 96, 4, side),
  },
  {
    title: 'tapped extraction, ResNet-20',
    detail: '32 px, batch 16, all taps',
    count: 16,
    unit: 'images/s',
    make: (side) => extraction('cifar_resnet20', 32, 16, side),
  },
  {
    title: 'solver path',
    detail: '500 x 2,000, 10 classes, group lasso to .1 of the largest penalty',
    count: 1,
    unit: 'paths/s',
    make: path,
  },
  {
    title: 'training step, ResNet-20',
    detail: '32 px, batch 16, forward, backward and update',
    count: 16,
    unit: 'images/s',
    large: true,
    make: (side) => training('resnet20-16', side),
  },
];

async function measure(): Promise<ResultRow[]> {
  const rows: ResultRow[] = [];
  for (const { title, detail, count, unit, make, large } of tasks) {
    // Plain JavaScript takes minutes for a large network.
    const here = sides.filter((one) => !large || one.name !== 'tfjs-javascript');
    const works: Work[] = [];
    for (const one of here) works.push(await make(one));
    for (const work of works) await work();
    const best = works.map(() => Number.POSITIVE_INFINITY);
    for (let round = 0; round < rounds; round++) {
      for (const [i, work] of works.entries()) best[i] = Math.min(best[i] as number, await work());
    }
    here.forEach(({ name }, i) => {
      const [own, first] = [count / (best[i] as number), count / (best[0] as number)];
      if (i === 0) return;
      rows.push({
        figure: `${title}: ${name} / onnxruntime`,
        value: own / first,
        detail: `${own.toPrecision(3)} ${unit} / ${first.toPrecision(3)} ${unit}; ${detail}; minima of ${rounds} rounds`,
      });
    });
  }
  return rows;
}

if (side) process.stdout.write(`\n${JSON.stringify(await measure())}\n`);
else {
  const ran = (which: 'portable' | 'native') => {
    const env = { ...process.env, TOEHOLD_BENCH_SIDES: which };
    const script = fileURLToPath(import.meta.url);
    const text = execFileSync(process.execPath, [...process.execArgv, script, String(rounds)], {
      env,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    return JSON.parse(text.trimEnd().split('\n').at(-1) as string) as ResultRow[];
  };
  const rows = [...ran('portable'), ...(findNative() ? ran('native') : [])];
  await writeResults('engines', 'Engines beside each other, one thread each', rows);
}
