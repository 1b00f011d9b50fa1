/**
 * Commands that are disturbed at random moments and then repeated: the end must be that of an undisturbed run, byte for byte,
 * and every ending on the way must have a code of the contract and a sentence.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdir, mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { Random, sha256 } from '../../src/base/index.js';
import { writeSmallData } from '../study/support/small.js';
import { temporaryFolder, writeImages, writeTinyModel } from '../support/tiny.js';

export type Disturbance = 'kill' | 'kill of the parent' | 'full disk' | 'cut image';

export interface Work {
  readonly name: string;
  readonly args: readonly string[];
  /** An image that it reads. */
  readonly image?: string;
}

export interface Tally {
  readonly work: string;
  readonly disturbance: Disturbance;
  moments: number;
  /** Of these, how often the command was still at work. */
  hit: number;
  /** Repeated afterwards, it ended as if undisturbed. */
  identical: number;
  /** Faults in a sentence each. */
  readonly faults: string[];
}

export interface DisturbOptions {
  readonly seed: string;
  /** Moments for each work and disturbance. */
  readonly moments: number;
  /** Arguments of Node before those of the command: the command line. */
  readonly commandLine: readonly string[];
  readonly disturbances: readonly Disturbance[];
  readonly only?: string | undefined;
  readonly onProgress?: (line: string) => void;
  readonly onTally?: (tally: Tally) => void;
}

const config = `protocol: head2toe
backbones: {small: {model: model.onnx, preprocess: cifar, pool: 'target:64'}}
tasks: {position: {data: position}}
methods: [linear, head2toe, finetune]
probe: {folds: 2, lambdas: 4, fractions: [0.1, 0.5], repetitions: 0, leaveOut: 0}
train: {epochs: 1, batch: 18, learningRates: [0.01]}
`;

/** Studies of the other protocols: copied layers, several networks, every paper's question. */
const studies: Readonly<Record<string, string>> = {
  yosinski: `protocol: yosinski
network: caffenet-32
input: 16
tasks: {position: {data: position}}
splits: [{name: random 0, seed: 0}]
seeds: [0]
copy: {layers: [2, 5], trainedLayers: [5], treatments: [BnB, AnB, AnB+]}
train: {epochs: 1, batch: 16, learningRates: [0.003, 0.01]}
`,
  kornblith: `protocol: kornblith
lite: true
backbones: {small: {model: model.onnx, preprocess: cifar}, other: {model: other.onnx, preprocess: cifar}}
tasks: {position: {data: position}}
where: {scratch: {backbones: [small]}, convergence: {backbones: [small]}, sizes: {backbones: [other]}}
perClass: [4]
train: {batch: 18, steps: 8, scratchSteps: 8, learningRates: [0.01, 0.1], weightDecays: [0, 1.0e-5], scratchLearningRates: [0.1], scratchWeightDecays: [1.0e-4], stepBudgets: [4]}
`,
  compare: `protocol: compare
backbones: {small: {model: model.onnx, preprocess: cifar, pool: 'target:64'}}
tasks: {position: {data: position}}
methods: [linear, auto, copy-half, copy-half-trained, finetune, scratch]
probe: {folds: 2}
train: {epochs: 1, scratchEpochs: 1, batch: 18, learningRates: [0.01, 0.03], scratchLearningRates: [0.1]}
`,
};

const common = ['-o', 'out', '--threads', '1', '--quiet'];
const images = ['tiny.onnx', 'images', '--size', '16', '--preprocess', 'half', '--batch', '8', ...common];
const image = 'images/train/b/007.png';
const extract: Work = { name: 'extract', args: ['extract', ...images, '--pool', 'gap,target:512'], image };
export const works: readonly Work[] = [
  extract,
  { name: 'probe', args: ['probe', 'store', ...common, '-m', 'linear,head2toe', '--folds', '3', '--lambdas', '8'] },
  { name: 'train', args: ['train', ...images, '--epochs', '6', '--checkpoint-steps', '1'], image },
  { name: 'run', args: ['run', 'study.yaml', ...common], image: 'position/train/7.png' },
  ...Object.keys(studies).map((name) => ({ name: `run ${name}`, args: ['run', `${name}.yaml`, ...common] })),
];

interface Ending {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stderr: string;
  readonly seconds: number;
  /** Whether it was ended from outside. */
  readonly hit: boolean;
}

/** Runs the command in a folder. @param after seconds after which it is killed; @param all with every process that it started */
async function runIn(
  folder: string,
  nodeArguments: readonly string[],
  args: readonly string[],
  { after, all = true }: { after?: number | undefined; all?: boolean } = {},
): Promise<Ending> {
  const started = performance.now();
  const child = spawn(process.execPath, [...nodeArguments, ...args], {
    cwd: folder,
    detached: true,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let stderr = '';
  child.stderr.on('data', (text) => {
    stderr += String(text);
  });
  let hit = false;
  const timer =
    after === undefined
      ? undefined
      : setTimeout(() => {
          hit = true;
          process.kill(all ? -(child.pid as number) : (child.pid as number), 'SIGKILL');
        }, 1000 * after);
  const [code, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null];
  clearTimeout(timer);
  return { code, signal, stderr, seconds: (performance.now() - started) / 1000, hit };
}

/** What differs between equal runs: when and how long. */
const varying = new Set(['seconds', 'startedAt', 'finishedAt']);
/** Columns of seconds in path.csv. */
const withoutSeconds = (text: string) => {
  const rows = text.split('\n').map((line) => line.split(','));
  const at = rows[0]?.indexOf('seconds') ?? -1;
  return at < 0 ? text : rows.map((cells) => cells.filter((_, i) => i !== at).join(',')).join('\n');
};

/** Hash of every file of the output that is to be the same. */
async function contentOf(folder: string): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  const entries = await readdir(join(folder, 'out'), { recursive: true, withFileTypes: true });
  for (const entry of entries) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    const name = path.slice(folder.length + 1);
    // Times of change of files.
    if (entry.name === '.stamps.json' || entry.name === '.verified.json') continue;
    // What a killed process was about to put in place.
    if (entry.name.endsWith('.tmp')) continue;
    const bytes = await readFile(path);
    // Seconds stand on the page and in its costs.
    if (name === 'out/report.html' || /(figures|tables)\/cost/.test(name)) found.set(name, 'there');
    else if (name.endsWith('.json')) {
      // Stores and records name the model and the data by their paths, and a file model.onnx by its folder.
      const text = bytes.toString('utf8').replaceAll(folder, '.').replaceAll(basename(folder), 'model');
      const value = JSON.stringify(JSON.parse(text), (key, v) => (varying.has(key) ? undefined : v));
      found.set(name, sha256(value));
    } else if (name.endsWith('path.csv')) found.set(name, sha256(withoutSeconds(bytes.toString('utf8'))));
    else found.set(name, sha256(bytes));
  }
  return found;
}

function difference(a: ReadonlyMap<string, string>, b: ReadonlyMap<string, string>): string | undefined {
  const names = [...new Set([...a.keys(), ...b.keys()])].filter((name) => a.get(name) !== b.get(name));
  return names.length === 0 ? undefined : names.slice(0, 4).join(', ');
}

/** Writing fails as on a full disk once the process has written so many bytes. */
const fullDisk = (bytes: number) => `
import { open } from 'node:fs/promises';
const file = await open(process.execPath, 'r');
const prototype = Object.getPrototypeOf(file);
await file.close();
let left = ${bytes};
for (const name of ['writeFile', 'write', 'appendFile']) {
  const write = prototype[name];
  prototype[name] = function (data, ...rest) {
    left -= data?.length ?? 0;
    if (left < 0) return Promise.reject(Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' }));
    return write.call(this, data, ...rest);
  };
}`;

async function prepare(): Promise<string> {
  const folder = temporaryFolder('toehold-reliability-');
  await writeTinyModel(folder);
  await writeImages(join(folder, 'images'), ['a', 'b', 'c'], 24);
  await writeSmallData(folder, ['position']);
  await writeFile(join(folder, 'study.yaml'), config);
  for (const [name, text] of Object.entries(studies)) await writeFile(join(folder, `${name}.yaml`), text);
  return folder;
}

export async function disturb({
  seed,
  moments,
  commandLine,
  disturbances,
  only,
  onProgress = () => undefined,
  onTally = () => undefined,
}: DisturbOptions): Promise<Tally[]> {
  const data = await prepare();
  const tallies: Tally[] = [];
  try {
    const store = await runIn(
      data,
      commandLine,
      extract.args.map((arg) => (arg === 'out' ? 'store' : arg)),
    );
    if (store.code !== 0) throw new Error(`the store could not be made: ${store.stderr}`);
    for (const work of works.filter((w) => only === undefined || w.name === only)) {
      const reference = await copyOf(data);
      const undisturbed = await runIn(reference, commandLine, work.args);
      if (undisturbed.code !== 0) throw new Error(`${work.name} fails undisturbed: ${undisturbed.stderr}`);
      const right = await contentOf(reference);
      const size = (
        await Promise.all([...right.keys()].map(async (name) => (await readFile(join(reference, name))).length))
      ).reduce((a, b) => a + b, 0);
      await rm(reference, { recursive: true });
      onProgress(`${work.name}: ${right.size} files, ${undisturbed.seconds.toFixed(1)} s`);
      let { seconds } = undisturbed;
      for (const disturbance of disturbances) {
        if (disturbance === 'cut image' && work.image === undefined) continue;
        const tally: Tally = { work: work.name, disturbance, moments: 0, hit: 0, identical: 0, faults: [] };
        tallies.push(tally);
        for (let moment = 0; moment < moments; moment++) {
          const random = new Random(seed, work.name, disturbance, moment);
          let folder = await copyOf(data);
          try {
            let ending = await disturbed(folder, work, disturbance, { random, commandLine, seconds, size });
            // It was done before its moment came: the machine is quicker than it was.
            for (let tries = 4; isKill(disturbance) && !ending.hit && tries > 0; tries--) {
              seconds = Math.min(seconds, ending.seconds);
              await rm(folder, { recursive: true });
              folder = await copyOf(data);
              ending = await disturbed(folder, work, disturbance, { random, commandLine, seconds, size });
            }
            tally.moments++;
            if (ending.hit || ending.code !== 0) tally.hit++;
            const fault = faultOf(ending, disturbance);
            if (fault !== undefined) tally.faults.push(`moment ${moment}: ${fault}`);
            const repeated = await runIn(folder, commandLine, work.args);
            if (repeated.code !== 0) {
              tally.faults.push(
                `moment ${moment}: repeated, it ends with ${repeated.code}: ${repeated.stderr.slice(-300)}`,
              );
              continue;
            }
            const differing = difference(right, await contentOf(folder));
            if (differing === undefined) tally.identical++;
            else tally.faults.push(`moment ${moment}: ${differing} differ`);
          } finally {
            await rm(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 500 });
          }
        }
        onTally(tally);
        onProgress(`${work.name}, ${disturbance}: ${tally.identical} of ${tally.moments} identical, ${tally.hit} hit`);
      }
    }
  } finally {
    await rm(data, { recursive: true });
  }
  return tallies;
}

async function copyOf(data: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'toehold-disturbed-'));
  await cp(data, folder, { recursive: true, preserveTimestamps: true });
  await mkdir(folder, { recursive: true });
  return folder;
}

const isKill = (disturbance: Disturbance) => disturbance === 'kill' || disturbance === 'kill of the parent';

interface Moment {
  readonly random: Random;
  readonly commandLine: readonly string[];
  readonly seconds: number;
  readonly size: number;
}

async function disturbed(
  folder: string,
  { args, image = '' }: Work,
  disturbance: Disturbance,
  { random, commandLine, seconds, size }: Moment,
): Promise<Ending> {
  switch (disturbance) {
    case 'kill':
    case 'kill of the parent':
      return runIn(folder, commandLine, args, { after: random.uniform() * seconds, all: disturbance === 'kill' });
    case 'full disk': {
      const code = fullDisk(Math.floor(random.uniform() * size));
      return runIn(folder, ['--import', `data:text/javascript,${encodeURIComponent(code)}`, ...commandLine], args);
    }
    default: {
      const path = join(folder, image);
      const bytes = await readFile(path);
      await truncate(path, random.integer(bytes.length));
      const ending = await runIn(folder, commandLine, args);
      await writeFile(path, bytes);
      return ending;
    }
  }
}

/** Why an ending is against the contract. */
function faultOf({ code, stderr, hit }: Ending, disturbance: Disturbance): string | undefined {
  if (hit || code === 0) return undefined;
  if (code !== 1 && code !== 2) return `ends with ${code}`;
  if (!/^toehold: ./m.test(stderr)) return `ends with ${code} and says nothing`;
  if (/fault of toehold itself/.test(stderr)) return `ends as a fault: ${stderr.slice(0, 200)}`;
  if (disturbance === 'full disk' && !/disk full/.test(stderr))
    return `does not say that the disk is full: ${stderr.slice(0, 200)}`;
  if (disturbance === 'cut image' && code !== 2 && !/units failed/.test(stderr))
    return `ends with ${code} on an unreadable image: ${stderr.slice(0, 200)}`;
  return undefined;
}
