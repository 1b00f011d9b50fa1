/**
 * Our side of train-step.ts: `tsx train-step-work.ts WORKLOAD THREADS` reads a number of steps a line and answers one
 * JSON line. One engine call is one step.
 */
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { Random } from '../src/base/index.js';
import { createEngine, type Engine, type EngineOptions } from '../src/engine/index.js';
import { buildArchitecture } from '../src/graph/architectures/index.js';
import { appendOptimiser, buildLoss, gradient, sgd } from '../src/graph/gradient/index.js';
import {
  dropoutMask,
  float32,
  type Graph,
  GraphBuilder,
  int64,
  learnedConstants,
  observe,
  sizeOf,
  subgraph,
  type Tensor,
  trainingForm,
} from '../src/graph/index.js';

export interface Workload {
  build: () => Graph;
  batch: number;
  size: number;
  /** Learned layers, counted from the input, that stay as they are. */
  frozen?: number;
  /** The frozen layers were computed once before training, as the trainer does without augmentation. */
  cached?: boolean;
}

export const workloads: Readonly<Record<string, Workload>> = {
  cnn8: { build: plainNet, batch: 128, size: 32 },
  'cnn8-frozen5': { build: plainNet, batch: 128, size: 32, frozen: 5 },
  'cnn8-cached5': { build: plainNet, batch: 128, size: 32, frozen: 5, cached: true },
  caffenet32: { build: () => buildArchitecture('caffenet-32'), batch: 128, size: 32 },
  'caffenet32-frozen5': { build: () => buildArchitecture('caffenet-32'), batch: 128, size: 32, frozen: 5 },
  'caffenet32-cached5': {
    build: () => buildArchitecture('caffenet-32'),
    batch: 128,
    size: 32,
    frozen: 5,
    cached: true,
  },
  resnet20: { build: () => buildArchitecture('resnet20'), batch: 128, size: 32 },
  'resnet20-16': { build: () => buildArchitecture('resnet20'), batch: 16, size: 32 },
  mobilenetv2: { build: () => buildArchitecture('mobilenetv2', { classes: 10, size: 128 }), batch: 32, size: 128 },
  'vit-tiny': { build: () => buildArchitecture('vit-tiny', { classes: 10 }), batch: 16, size: 224 },
};

/** Eight learned layers without norms: six 3 x 3 convolutions, two dense. */
function plainNet(): Graph {
  const b = new GraphBuilder();
  const random = new Random(0, 'plain');
  const weight = (name: string, dims: number[], fanIn: number) =>
    b.constant(
      float32(
        dims,
        Array.from({ length: sizeOf(dims) }, () => random.normal() * Math.sqrt(2 / fanIn)),
      ),
      name,
    );
  let x = b.input('input', 'float32', ['N', 3, 32, 32]);
  let from = 3;
  [32, 32, 64, 64, 128, 128].forEach((to, i) => {
    const w = weight(`conv${i}.weight`, [to, from, 3, 3], from * 9);
    const bias = b.constant(float32([to], new Float32Array(to)), `conv${i}.bias`);
    x = b.op('Relu', [b.op('Conv', [x, w, bias], { kernel_shape: [3, 3], pads: [1, 1, 1, 1] })]);
    if (i % 2 === 1) x = b.op('MaxPool', [x], { kernel_shape: [2, 2], strides: [2, 2] });
    from = to;
  });
  x = b.op('Flatten', [x]);
  [256, 10].forEach((to, i) => {
    const fanIn = i === 0 ? 2048 : 256;
    const bias = b.constant(float32([to], new Float32Array(to)), `fc${i}.bias`);
    x = b.op('Gemm', [x, weight(`fc${i}.weight`, [to, fanIn], fanIn), bias], { transB: 1 });
    if (i === 0) x = b.op('Relu', [x]);
  });
  b.output(x, 'logits', 'float32', ['N', 10]);
  return b.build();
}

/** The weights that stay when the first `layers` learned layers are frozen. */
function frozenWeights(graph: Graph, layers: number): Set<string> {
  const learned = graph.nodes.filter((n) => n.op === 'Conv' || n.op === 'Gemm').slice(0, layers);
  return new Set(learned.flatMap((n) => n.inputs));
}

/** Without its frozen bottom: the value that the first trained layer reads becomes the input. */
async function withoutBottom(graph: Graph, work: Workload, engine: Engine): Promise<{ graph: Graph; shape: number[] }> {
  const frozen = frozenWeights(graph, work.frozen ?? 0);
  const first = graph.nodes.find((n) => (n.op === 'Conv' || n.op === 'Gemm') && !frozen.has(n.inputs[1] as string));
  const value = first?.inputs[0] as string;
  const shape = [work.batch, 3, work.size, work.size];
  const observed = await observe(graph, engine, { input: shape });
  const dims = [...(observed.get(value)?.dims ?? [])];
  const top = subgraph(graph, [{ name: value, type: 'float32', shape: dims }], ['logits']);
  return { graph: replaceInputName(top, value), shape: dims };
}

/** The graph with its only input called `input`. */
function replaceInputName(graph: Graph, from: string): Graph {
  const swap = (name: string) => (name === from ? 'input' : name);
  return {
    ...graph,
    inputs: graph.inputs.map((i) => ({ ...i, name: swap(i.name) })),
    nodes: graph.nodes.map((n) => ({ ...n, inputs: n.inputs.map(swap) })),
  };
}

export async function buildStep(name: string, threads: number, options: Partial<EngineOptions> = {}) {
  const work = workloads[name];
  if (!work) throw new Error(`there is no workload '${name}'; known: ${Object.keys(workloads).join(', ')}`);
  const engine = await createEngine({ threads, ...options });
  const network = work.build();
  const whole = { ...network, outputs: network.outputs.filter((o) => o.name === 'logits') };
  const { graph: single, shape: inputShape } = work.cached
    ? await withoutBottom(whole, work, engine)
    : { graph: whole, shape: [work.batch, 3, work.size, work.size] };
  const form = trainingForm(single);
  const random = new Random(0, 'bench');
  const shapes = { input: inputShape, labels: [work.batch] };
  const lossGraph = buildLoss(form.graph, { logits: 'logits', classes: 10 });
  const observed = await observe(lossGraph, engine, shapes, form.masks);
  const frozen = frozenWeights(lossGraph, work.cached ? 0 : (work.frozen ?? 0));
  const wrt = learnedConstants(lossGraph).filter((w) => !frozen.has(w));
  const differentiated = gradient(lossGraph, {
    loss: 'loss',
    wrt,
    observed,
    keep: form.running.map((r) => r.output),
    block: process.env.STANDARD ? 0 : await engine.blockWidth(),
  });
  const parameters = wrt.map((w) => ({ name: w, dims: observed.get(w)?.dims as number[] }));
  const step = appendOptimiser(differentiated, parameters, sgd({ momentum: 0.9 }));
  const feeds: Record<string, Tensor> = {
    input: float32(
      shapes.input,
      Float32Array.from({ length: sizeOf(shapes.input) }, () => random.normal()),
    ),
    labels: int64(Array.from({ length: work.batch }, () => random.integer(10))),
    learning_rate: float32([], [1e-3]),
  };
  for (const m of form.masks) feeds[m.input] = dropoutMask(random, observed.get(m.value)?.dims as number[], m.ratio);
  const pairs: [string, string][] = [];
  for (const { input, output, dims } of step.state) {
    feeds[input] = lossGraph.constants.get(input) ?? float32(dims, new Float32Array(sizeOf(dims)));
    pairs.push([input, output]);
  }
  for (const { input, output, initial } of form.running) {
    feeds[input] = initial;
    pairs.push([input, output]);
  }
  return {
    engine,
    graph: step.graph,
    feeds,
    pairs,
    parameters: wrt.reduce((n, w) => n + sizeOf(observed.get(w)?.dims as number[]), 0),
  };
}

async function main(name: string, threads: number): Promise<void> {
  const base = process.memoryUsage().rss / 2 ** 20;
  const { engine, graph, feeds, pairs, parameters } = await buildStep(name, threads);
  const program = await engine.compile(graph, { planMemory: false });
  for await (const line of createInterface({ input: process.stdin })) {
    const ms: number[] = [];
    let loss = Number.NaN;
    for (let i = 0; i < Number(line); i++) {
      const start = performance.now();
      const results = await program.run(feeds);
      for (const [input, output] of pairs) feeds[input] = results[output] as Tensor;
      loss = Number(results.loss?.data[0]);
      ms.push(performance.now() - start);
    }
    const memory = process.resourceUsage().maxRSS / 1024 - base;
    console.log(JSON.stringify({ ms, loss, memory, parameters, version: engine.name }));
  }
}

const [script, name, threads] = process.argv.slice(1);
if (script === fileURLToPath(import.meta.url)) await main(name ?? '', Number(threads ?? 2));
