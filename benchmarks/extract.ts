/**
 * The extraction pass against the untapped network and against PyTorch with forward hooks, in interleaved rounds of one
 * run; minima over the rounds. `npm run bench:extract [-- rounds [names]]`
 */
import { parsePreprocess } from '../src/data/index.js';
import { createEngine } from '../src/engine/index.js';
import {
  compilePass,
  defaultBatch,
  parsePool,
  passBuffer,
  pixelInput,
  poolTaps,
  specialiseBackbone,
  tapsOf,
} from '../src/features/index.js';
import {
  buildArchitecture,
  fuseAttention,
  type Graph,
  readModelFile,
  selectTaps,
  upgrade,
} from '../src/graph/index.js';
import { assets, Peer, passSeconds, type ResultRow, writeResults } from './support.js';

const rounds = Number(process.argv[2] ?? 12);
const only = process.argv[3]?.split(',');
const engine = await createEngine({ threads: 2 });
const preprocess = parsePreprocess({ size: 224 }, 'benchmark');

interface Case {
  name: string;
  peer: string;
  graph: () => Promise<Graph>;
  batch: number;
  tapped: [must: number, aim: number];
  torch: [must: number, aim: number];
}
const asset = async (name: string) => upgrade(await readModelFile(`${assets}/backbones/${name}/model.onnx`));
const cases: Case[] = [
  {
    name: 'MobileNetV2',
    peer: 'mobilenetv2',
    graph: () => asset('mobilenetv2_tf'),
    batch: 16,
    tapped: [0.7, 0.95],
    torch: [3, 4],
  },
  {
    name: 'ResNet-50',
    peer: 'resnet50',
    graph: async () => buildArchitecture('resnet50'),
    batch: 16,
    tapped: [0.8, 0.95],
    torch: [1.6, 2],
  },
  { name: 'DeiT-Ti', peer: 'deit', graph: () => asset('deit_tiny'), batch: 16, tapped: [0.9, 0.95], torch: [1.4, 2] },
];

const passBatch = defaultBatch(preprocess.size);
const rows: ResultRow[] = [];
for (const {
  name,
  peer,
  graph: load,
  batch,
  tapped: [must, aim],
  torch: [mustTorch, aimTorch],
} of cases.filter(({ name }) => only?.includes(name) ?? true)) {
  const backbone = { graph: await load(), path: name, preprocess };
  const items = parsePool('gap');
  const taps = poolTaps(selectTaps((await tapsOf(backbone, engine)).taps), items);
  const network = await specialiseBackbone(backbone, engine, passBatch);
  // Both sides get the same rewriting of attention, the same threads and pixels.
  const tapped = await compilePass(engine, { backbone, taps, items, batch: passBatch });
  const untapped = {
    program: await engine.compile(
      pixelInput(await fuseAttention(network.graph, network, engine), preprocess, passBatch),
      { workers: tapped.workers },
    ),
    workers: tapped.workers,
  };
  const torch = new Peer('extract_torch.py', { model: peer, batch, size: 224, threads: 2 });
  const best = { untapped: Infinity, tapped: Infinity, torch: Infinity };
  let hooks = 0;
  for (let round = 0; round < rounds; round++) {
    for (const [key, pass, buffer] of [
      ['untapped', untapped, () => undefined],
      ['tapped', tapped, () => passBuffer(taps, passBatch)],
    ] as const) {
      best[key] = Math.min(best[key], await passSeconds(pass, backbone, passBatch, 4 * batch, buffer));
    }
    const answer = await torch.ask<{ seconds: number; taps: number }>('run');
    best.torch = Math.min(best.torch, answer.seconds / batch);
    hooks = answer.taps;
  }
  torch.stop();
  await untapped.program.dispose();
  await tapped.program.dispose();
  const rate = (seconds: number) => `${(1 / seconds).toFixed(1)} images/s`;
  const work = `224 px, batch ${passBatch} on each of ${tapped.workers} threads (PyTorch ${batch} on both), ${taps.length} taps (PyTorch ${hooks} hooks), minima of ${rounds} rounds`;
  rows.push(
    {
      figure: `tapped / untapped, ${name}`,
      value: best.untapped / best.tapped,
      must,
      aim,
      detail: `${rate(best.tapped)} / ${rate(best.untapped)}; ${work}`,
    },
    {
      figure: `tapped / PyTorch hooks, ${name}`,
      value: best.torch / best.tapped,
      must: mustTorch,
      aim: aimTorch,
      detail: `${rate(best.tapped)} / ${rate(best.torch)}; ${work}`,
    },
  );
}
await writeResults('extract', 'One pass over all taps', rows);
