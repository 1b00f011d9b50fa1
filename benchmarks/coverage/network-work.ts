/** What toehold makes of one exported network, and what the frameworks say of it (peers/network_truth.py). */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { messageOf, UserError } from '../../src/base/index.js';
import { createLoader, readDataset } from '../../src/data/index.js';
import type { Engine } from '../../src/engine/index.js';
import { type Backbone, extract, loadBackbone, requestOf, type StoreMeta, tapsOf } from '../../src/features/index.js';
import {
  buildLoss,
  gradient,
  gradientName,
  lossNames,
  observe,
  type Tap,
  type Tensor,
  writeModel,
} from '../../src/graph/index.js';
import {
  exportProbe,
  probeRecord,
  runProbes,
  selectMethods,
  sourceDefaults,
  taskFromStore,
  writeProbeRun,
} from '../../src/probe/index.js';
import { trainingGraph } from '../../src/transfer/assemble.js';
import {
  imagesInMemory,
  type LabelledImages,
  mergeOptions,
  type TrainRequest,
  train,
} from '../../src/transfer/index.js';
import { startNetwork } from '../../src/transfer/start.js';
import { trainedParameters } from '../../src/transfer/treatment.js';
import type { Peer } from '../support.js';

/** What export_networks.py says of a file. */
export interface ExportInfo {
  readonly name: string;
  readonly how: string;
  readonly exported: boolean;
  readonly error?: string;
  readonly size: number;
  readonly parameters: number;
  readonly multiplyAdds: number;
}

/**
 * taps, ends and extraction; parameters, multiply-adds and blocks; loss and gradients; five steps; exported head; and, without
 * any framework, whether a file has the taps, layouts and counts of the export with a free batch.
 */
export const checks = ['taps', 'counts', 'step', 'training', 'head', 'alike'] as const;
export type Check = (typeof checks)[number];

/** One file. A check that could not be made says why in `failed`. */
export interface NetworkRow {
  readonly name: string;
  readonly how: string;
  readonly failed: Readonly<Record<string, string>>;
  /** Default taps; those whose channels a PyTorch module tells; what is wrong with them. */
  readonly taps?: { readonly all: number; readonly told: number; readonly wrong: readonly string[] };
  /** What is wrong with the ends; empty where nothing is. */
  readonly ends?: string;
  /** Largest difference of extracted features from Python's, relative to a tap's largest; and the tap. */
  readonly extraction?: { readonly worst: number; readonly tap: string };
  /** Ours, the framework's, and the framework's as the file holds them after norms were folded. */
  readonly parameters?: { readonly ours: number; readonly theirs: number; readonly folded: number };
  readonly multiplyAdds?: { readonly ours: number; readonly theirs: number };
  readonly blocks?: { readonly ours: number; readonly theirs: number };
  readonly step?: StepVerdict;
  /** Training loss of five steps on one batch. */
  readonly losses?: readonly number[];
  /** Largest difference of the exported head's probabilities in Python. */
  readonly head?: number;
  /** In what the default taps are not those of the export with a free batch; empty where they are. */
  readonly alike?: string;
  readonly seconds: number;
}

interface StepVerdict {
  readonly loss: number;
  readonly theirLoss: number;
  /** Norm of the difference of all matched gradients over the norm of PyTorch's. */
  readonly gradient: number;
  /** The same of PyTorch's float32 and float64, where ours differs by more than 5e-4. */
  readonly rounding?: number;
  readonly worst: readonly [name: string, relative: number];
  /** Share of the trained numbers that were found in the PyTorch network. */
  readonly matched: number;
  readonly unmatched: readonly string[];
}

interface TapAnswer {
  readonly output: number;
  readonly taps: readonly { alias: string; state: string; wrong?: string; difference?: number; shape?: number[] }[];
  readonly ends: string;
}

/** The images of the checks. */
export interface Images {
  /** Folder with train/ and test/. */
  readonly folder: string;
  readonly classes: readonly string[];
}

export async function measureNetwork(
  engine: Engine,
  peer: Peer | undefined,
  model: string,
  info: ExportInfo,
  images: Images,
  wanted: ReadonlySet<Check>,
): Promise<NetworkRow> {
  const began = performance.now();
  const row: Draft = { name: info.name, how: info.how, failed: {}, seconds: 0 };
  const failed: Record<string, string> = {};
  const attempt = async <T>(what: string, work: () => Promise<T>): Promise<T | undefined> => {
    try {
      return await work();
    } catch (error) {
      const fault = error instanceof UserError ? '' : `${(error as Error).name}: `;
      failed[what] = `${fault}${messageOf(error)}`.replaceAll(model, 'the file').slice(0, 400);
      return undefined;
    }
  };
  const folder = await mkdtemp(join(tmpdir(), 'toehold-coverage-'));
  try {
    const overrides = { size: [info.size, info.size] as [number, number] };
    const backbone = await attempt('taps', () => loadBackbone(model, engine, { preprocess: 'imagenet', overrides }));
    const tapped = backbone && (await attempt('taps', () => tapsOf(backbone, engine)));
    if (backbone && tapped) {
      const { taps } = tapped;
      const store =
        wanted.has('taps') || wanted.has('head')
          ? await attempt('extraction', async () => {
              const dataset = await readDataset(images.folder);
              const output = join(folder, 'store');
              const options = { output, pool: 'gap', quiet: true };
              return { output, ...(await extract(backbone, requestOf(dataset), engine, options)) };
            })
          : undefined;
      if (wanted.has('taps')) {
        await attempt('truth of taps', () => checkTaps(peer, model, info, images, taps, row, store));
      }
      if (wanted.has('counts')) await attempt('counts', () => checkCounts(peer, model, info, taps, row));
      if (wanted.has('step')) {
        await attempt('step', async () => {
          row.step = await checkStep(engine, peer, { model, info, backbone, taps, images, folder });
        });
      }
      if (wanted.has('training')) {
        await attempt('training', async () => {
          row.losses = await fiveLosses(engine, backbone, images);
        });
      }
      if (wanted.has('alike') && info.how !== 'free') {
        await attempt('alike', async () => {
          const free = await loadBackbone(model.replace(`.${info.how}/`, '.free/'), engine, {
            preprocess: 'imagenet',
            overrides,
          });
          row.alike = unlike(taps, (await tapsOf(free, engine)).taps);
        });
      }
      if (store && wanted.has('head')) {
        await attempt('head', () => checkHead(engine, peer, store.output, images, folder, row));
      }
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
  return { ...row, failed, seconds: Math.round((performance.now() - began) / 100) / 10 };
}

/** The first way in which default taps differ from others' in alias, layout, shape or costs. */
function unlike(taps: readonly Tap[], others: readonly Tap[]): string {
  const said = (all: readonly Tap[]) =>
    all
      .filter((t) => t.standard)
      .map(({ alias, layout, shape, params, macs }) => [alias, JSON.stringify(layout), shape.join('x'), params, macs]);
  const [own, free] = [said(taps), said(others)];
  const at = own.findIndex((tap, i) => `${tap}` !== `${free[i]}`);
  if (at < 0 && own.length === free.length) return '';
  return at < 0 ? `${own.length} taps for ${free.length}` : `${own[at]?.join(' ')} for ${free[at]?.join(' ')}`;
}

type Draft = { -readonly [K in keyof NetworkRow]: NetworkRow[K] };

async function ask<T>(peer: Peer | undefined, request: object): Promise<T> {
  if (!peer) throw new Error('no peer was started');
  const answer = await peer.ask<T & { error?: string }>(request);
  if (answer.error !== undefined) throw new Error(`the truth: ${answer.error}`);
  return answer;
}

async function checkTaps(
  peer: Peer | undefined,
  model: string,
  { name }: ExportInfo,
  { folder }: Images,
  taps: readonly Tap[],
  row: Draft,
  store: { output: string; meta: StoreMeta } | undefined,
): Promise<void> {
  const files = store?.meta.splits.train?.files ?? [];
  const rows = [0, Math.floor(files.length / 2), files.length - 1];
  const stored = new Map(store?.meta.taps.map((t) => [t.name, t.file.train ?? '']));
  const standard = taps.filter((t) => t.standard);
  const answer = await ask<TapAnswer>(peer, {
    verb: 'taps',
    name,
    model,
    images: rows.map((i) => join(folder, files[i] ?? '')),
    rows,
    taps: standard.map(({ name: value, alias, layout }) => ({
      name: value,
      alias,
      axes: layout.axes,
      prefix: layout.prefix,
      suffix: layout.suffix,
      grid: layout.grid ?? null,
      file: store && stored.has(value) ? join(store.output, stored.get(value) ?? '') : null,
    })),
  });
  if (answer.output > 1e-3) throw new Error(`the file is another network than the framework's (${answer.output})`);
  const wrong = answer.taps.flatMap((t) => (t.wrong ? [`${t.alias}: ${t.wrong}`] : []));
  row.taps = { all: standard.length, told: answer.taps.filter((t) => t.state === 'told').length, wrong };
  row.ends = answer.ends;
  const compared = answer.taps.filter((t) => t.difference !== undefined);
  const worst = compared.reduce((a, b) => ((b.difference ?? 0) > (a.difference ?? 0) ? b : a), {
    alias: '',
    difference: 0,
  } as { alias: string; difference?: number });
  if (compared.length > 0) row.extraction = { worst: worst.difference ?? 0, tap: worst.alias };
}

async function checkCounts(
  peer: Peer | undefined,
  model: string,
  { name, multiplyAdds }: ExportInfo,
  taps: readonly Tap[],
  row: Draft,
): Promise<void> {
  const answer = await ask<{ parameters: number; folded: number; addedBiases: number; blocks: number }>(peer, {
    verb: 'counts',
    name,
    model,
  });
  const ours = Math.max(...taps.map((t) => t.params));
  const theirs = answer.parameters;
  row.parameters = { ours, theirs, folded: theirs - answer.folded + answer.addedBiases };
  row.multiplyAdds = { ours: Math.max(...taps.map((t) => t.macs)), theirs: multiplyAdds };
  row.blocks = { ours: blocksOf(taps), theirs: answer.blocks };
}

/** Blocks that the aliases of default taps count. */
export function blocksOf(taps: readonly Pick<Tap, 'alias' | 'standard'>[]): number {
  const of = (alias: string) => /^(s\d+\.b\d+|block\d+)\./.exec(alias)?.[1];
  const named = taps.filter((t) => t.standard && of(t.alias));
  // Convolutions before the tokens are the patch embedding.
  const [tokens, maps] = [
    named.filter((t) => t.alias.startsWith('block')),
    named.filter((t) => t.alias.startsWith('s')),
  ];
  const isStem = tokens.length > 0 && !maps.some((t) => /\.(sum|out|mid)$/.test(t.alias));
  return new Set((isStem ? tokens : named).map((t) => of(t.alias))).size;
}

const batch = 4;
const usualRate = 0.003;

/** The first training images at the network's size, one of each class in turn. */
async function batchOf({ preprocess }: Backbone, { folder, classes }: Images): Promise<[LabelledImages, Uint8Array]> {
  const { examples } = await readDataset(folder);
  const training = examples.filter((e) => e.split === 'train');
  const chosen = Array.from({ length: batch }, (_, i) => {
    const own = training.filter((e) => e.label === i % classes.length);
    return own[Math.floor(i / classes.length)] as (typeof training)[number];
  });
  const loader = createLoader(preprocess);
  const pixels = new Uint8Array(batch * loader.bytes);
  for (const [i, { image }] of chosen.entries()) {
    await loader.load(image, pixels.subarray(i * loader.bytes, (i + 1) * loader.bytes));
  }
  const labels = Int32Array.from(chosen, (e) => e.label);
  return [imagesInMemory(pixels, preprocess.size, labels), pixels];
}

function trainRequest(
  backbone: Backbone,
  images: LabelledImages,
  classes: readonly string[],
  unfoldNorms: 'auto' | 'no',
): TrainRequest {
  return {
    model: backbone.graph,
    fresh: false,
    treatment: { name: 'finetune' },
    classes,
    preprocess: backbone.preprocess,
    train: images,
    options: mergeOptions(undefined, { epochs: 5, batch, learningRate: usualRate }),
    unfoldNorms,
  };
}

interface StepRequest {
  readonly model: string;
  readonly info: ExportInfo;
  readonly backbone: Backbone;
  readonly taps: readonly Tap[];
  readonly images: Images;
  readonly folder: string;
}

/** Loss and gradients of the first step of fine-tuning against autograd's; folded norms stay folded. */
async function checkStep(
  engine: Engine,
  peer: Peer | undefined,
  { model, info, backbone, taps, images, folder }: StepRequest,
): Promise<StepVerdict> {
  const [labelled, pixels] = await batchOf(backbone, images);
  const request = trainRequest(backbone, labelled, images.classes, 'no');
  const { network, layers, plan } = await startNetwork(engine, request);
  const parameters = trainedParameters(layers, plan, request.options, network.fixed);
  const names = parameters.map((p) => p.name);
  const { form, input } = await trainingGraph(engine, network, backbone.preprocess, batch, new Set(names), 0.9);
  const withLoss = buildLoss(form.graph, { logits: network.logits, classes: images.classes.length });
  const observed = await observe(withLoss, engine, { [lossNames.labels]: [batch] }, form.masks);
  const { loss: lossName } = lossNames;
  const step = gradient(withLoss, { loss: lossName, wrt: names, observed, block: await engine.blockWidth() });
  const feeds: Record<string, Tensor> = {
    [input]: { type: 'uint8', dims: [batch, ...backbone.preprocess.size, 3], data: pixels },
    [lossNames.labels]: { type: 'int64', dims: [batch], data: BigInt64Array.from(labelled.labels, BigInt) },
  };
  for (const { input: name, initial } of form.running) feeds[name] = initial;
  for (const name of names) feeds[name] = form.graph.constants.get(name) as Tensor;
  const read = new Set(step.inputs.map((v) => v.name));
  const program = await engine.compile(step);
  let results: Record<string, Tensor>;
  try {
    results = await program.run(Object.fromEntries(Object.entries(feeds).filter(([name]) => read.has(name))));
  } finally {
    await program.dispose();
  }
  const loss = (results[lossName] as Tensor).data[0] as number;
  const parts = parameters.flatMap(({ name }) => [
    form.graph.constants.get(name)?.data as Float32Array,
    results[gradientName(name)]?.data as Float32Array,
  ]);
  for (const { name, dims } of parameters) {
    const a = form.graph.constants.get(name);
    const g = results[gradientName(name)];
    if (`${a?.dims}` !== `${dims}` || `${g?.dims}` !== `${dims}`)
      throw new Error(`${name} [${dims}] is [${a?.dims}], its gradient [${g?.dims}]`);
  }
  const [tensors, bytes] = [join(folder, 'gradients.bin'), join(folder, 'pixels.bin')];
  await writeFile(tensors, Buffer.concat(parts.map((p) => Buffer.from(p.buffer, p.byteOffset, p.byteLength))));
  await writeFile(bytes, pixels);
  const liveNorms = form.graph.nodes.flatMap((n) => (n.op === 'BatchNormalization' ? [n.inputs[1] ?? ''] : []));
  const answer = await ask<{ state: string; loss: number } & Omit<StepVerdict, 'theirLoss'>>(peer, {
    verb: 'step',
    name: info.name,
    model,
    features: taps.find((t) => t.alias === 'features')?.name ?? '',
    pixels: bytes,
    labels: [...labelled.labels],
    tensors,
    index: parameters.map(({ name, dims }) => ({ name, dims })),
    liveNorms,
  });
  if (answer.state !== 'compared') throw new Error(`not compared: ${answer.state}`);
  const { gradient: difference, worst, matched, unmatched, rounding } = answer;
  return {
    loss,
    theirLoss: answer.loss,
    gradient: difference,
    ...(rounding !== undefined && { rounding }),
    worst,
    matched,
    unmatched,
  };
}

/** Of five steps on one batch; where they rise at the usual rate, which is too long a step for some, at a tenth or a hundredth of it. */
async function fiveLosses(engine: Engine, backbone: Backbone, images: Images): Promise<number[]> {
  const [labelled] = await batchOf(backbone, images);
  const request = trainRequest(backbone, labelled, images.classes, 'auto');
  let losses: number[] = [];
  for (const learningRate of [usualRate, usualRate / 10, usualRate / 100]) {
    const result = await train(engine, { ...request, options: { ...request.options, learningRate } });
    losses = result.epochs.map((e) => e.loss);
    if ((losses.at(-1) ?? 0) < (losses[0] ?? 0)) break;
  }
  return losses;
}

/** A probe on all taps, exported, and its probabilities in Python on the image files. */
async function checkHead(
  engine: Engine,
  peer: Peer | undefined,
  store: string,
  images: Images,
  folder: string,
  row: Draft,
): Promise<void> {
  const task = await taskFromStore(store, sourceDefaults);
  const run = await runProbes(engine, task.task, selectMethods('all-l2'), { folds: 2 });
  const out = join(folder, 'probe');
  await mkdir(out, { recursive: true });
  await writeProbeRun(run, probeRecord(engine, run, task, 'benchmarks/coverage/networks.ts'), task.targets, out);
  const { graph } = await exportProbe(engine, out, { method: 'all-l2', store });
  const head = join(folder, 'head.onnx');
  await writeFile(head, writeModel(graph));
  const { probabilities = new Float64Array() } = run.results[0]?.predictions ?? {};
  const files = run.task.test?.files ?? [];
  const classes = run.task.classes.length;
  const answer = await ask<{ difference: number }>(peer, {
    verb: 'head',
    head,
    files: files.map((f) => join(images.folder, f)),
    probabilities: files.map((_, i) => Array.from(probabilities).slice(i * classes, (i + 1) * classes)),
  });
  row.head = answer.difference;
}
