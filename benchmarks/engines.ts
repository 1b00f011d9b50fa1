/**
 * The engines that can be had here beside each other, on the same work in one run: the tapped extraction and the step of
 * training. One thread each, rounds in turn; minima over the rounds. `npm run bench:engines [-- rounds]`
 */
import { parsePreprocess } from '../src/data/index.js';
import { createEngine, type EngineOptions } from '../src/engine/index.js';
import { findNative } from '../src/engine/tfjs/library.js';
import { compilePass, parsePool, pixelShape, poolTaps, tapsOf } from '../src/features/index.js';
import { readNetwork, selectTaps, sizeOf } from '../src/graph/index.js';
import { assets, type ResultRow, writeResults } from './support.js';
import { buildStep } from './train-step-work.js';

const rounds = Number(process.argv[2] ?? 3);
interface Side {
  readonly name: string;
  readonly options: Partial<EngineOptions>;
}
const sides: Side[] = [
  { name: 'onnxruntime', options: {} },
  // A native build and the portable backends do not share a process: with one installed it is that which is measured.
  ...(findNative()
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
    title: 'training step, ResNet-20',
    detail: '32 px, batch 16, forward, backward and update',
    count: 16,
    unit: 'images/s',
    large: true,
    make: (side) => training('resnet20-16', side),
  },
];

const rows: ResultRow[] = [];
for (const { title, detail, count, unit, make, large } of tasks) {
  // Plain JavaScript takes minutes for a large network.
  const here = sides.filter((side) => !large || side.name !== 'tfjs-javascript');
  const works: Work[] = [];
  for (const side of here) works.push(await make(side));
  for (const work of works) await work();
  const best = works.map(() => Number.POSITIVE_INFINITY);
  for (let round = 0; round < rounds; round++) {
    for (const [i, work] of works.entries()) best[i] = Math.min(best[i] as number, await work());
  }
  here.forEach(({ name }, i) => {
    const [own, first] = [count / (best[i] as number), count / (best[0] as number)];
    rows.push({
      figure: `${title}: ${name} / onnxruntime`,
      value: own / first,
      detail: `${own.toPrecision(3)} ${unit} / ${first.toPrecision(3)} ${unit}; ${detail}; minima of ${rounds} rounds`,
    });
  });
}
await writeResults(
  findNative() ? 'engines-native' : 'engines',
  findNative() ? 'TensorFlow.js with its own kernels' : 'Engines beside each other, one thread each',
  rows,
);
