/**
 * Nothing leaves the machine: onnxruntime's library neither records nor sends anything, whoever loads it. Every case runs
 * as a process of its own with empty folders for what programs leave behind; where strace is there, its system calls
 * are looked at, too. The environment is bare: variables of CI would keep the library silent by themselves.
 */
import { spawnSync } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { float32, GraphBuilder, writeModel } from '../../src/graph/index.js';
import { commandLine, nodeArguments, type Outcome, runProgram } from '../support/cli.js';

const strace = spawnSync('strace', ['-V']).status === 0;
if (!strace) console.warn('strace is absent: telemetry is looked for in files only (apt-get install strace)');

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'toehold telemetry '));
});
afterAll(() => rm(folder, { recursive: true }));

/** What a program would touch to record, to identify the machine, or to send. */
const suspicious =
  /socket\(AF_(?!UNIX)|connect\(\d+, \{sa_family=AF_(?!UNIX)|sendto\(.*AF_INET|resolv\.conf|nsswitch|\/etc\/hosts|machine-id|\/cmdline|onnxruntime\.db|deviceid|\.ses"|Microsoft/;

interface Traces extends Outcome {
  /** Files in the user's and the temporary folders. */
  readonly left: readonly string[];
  /** Suspicious system calls. */
  readonly calls: readonly string[];
}

async function traced(name: string, args: readonly string[]): Promise<Traces> {
  const home = join(folder, `${name}-home`);
  const temporary = join(folder, `${name}-tmp`);
  const trace = join(folder, `${name}.trace`);
  await Promise.all([home, temporary].map((path) => mkdir(path)));
  const env = { PATH: process.env.PATH, HOME: home, TMPDIR: temporary };
  const outcome = strace
    ? await runProgram(
        'strace',
        ['-f', '-qq', '-e', 'trace=network,openat', '-o', trace, process.execPath, ...args],
        env,
      )
    : await runProgram(process.execPath, args, env);
  const files = await Promise.all([home, temporary].map((path) => readdir(path, { recursive: true })));
  return {
    ...outcome,
    // tsx, which runs the sources here, keeps its own cache.
    left: files.flat().filter((file) => !file.startsWith('tsx-') && file !== 'node-compile-cache'),
    calls: strace ? (await readFile(trace, 'utf8')).split('\n').filter((line) => suspicious.test(line)) : [],
  };
}

const silent = { code: 0, left: [], calls: [] };

for (const [threads, where] of ['the main thread', 'a worker thread', "a worker's worker"].entries()) {
  test(`a program that uses the library in ${where} leaves nothing and sends nothing`, async () => {
    const child = [...nodeArguments, 'test/engine/telemetry-child.ts', String(threads)];
    expect(await traced(`library${threads}`, child)).toMatchObject({ ...silent, stdout: 'done' });
  });
}

test('neither do commands: taps, doctor', async () => {
  const taps = await traced('taps', [...commandLine, 'taps', 'assets/demo/figures.onnx', '--json']);
  expect(taps).toMatchObject(silent);
  expect(JSON.parse(taps.stdout).taps.length).toBeGreaterThan(10);
  expect(await traced('doctor', [...commandLine, 'doctor', '--json'])).toMatchObject(silent);
});

test('predict takes more images than fit in 20 kB of arguments', async () => {
  const b = new GraphBuilder();
  const image = b.input('image', 'uint8', ['H', 'W', 3]);
  const mean = b.op<string>('ReduceMean', [b.cast(image, 'float32')], {
    axes: { kind: 'ints', value: [0, 1] },
    keepdims: 0,
  });
  const weight = b.constant(float32([3, 2], [1, 0, 0, 1, 0, 0]));
  b.output(b.op('Softmax', [b.op('MatMul', [b.op('Unsqueeze', [mean, b.ints([0])]), weight])]), 'probabilities');
  const graph = b.build();
  const head = join(folder, 'head.onnx');
  const metadata = new Map([['toehold.classes', '["red","green"]']]);
  await writeFile(head, writeModel({ ...graph, opsets: new Map([['', 17]]), metadata }));
  const photo = join(folder, 'photo.png');
  await sharp({ create: { width: 4, height: 4, channels: 3, background: 'red' } }).toFile(photo);
  const photos = Array.from({ length: Math.ceil(30_000 / photo.length) }, () => photo);
  const { stdout, ...rest } = await traced('predict', [...commandLine, 'predict', head, ...photos, '--json']);
  expect(rest).toMatchObject(silent);
  const { predictions } = JSON.parse(stdout);
  expect(predictions).toHaveLength(photos.length);
  expect(predictions[0]).toMatchObject({ class: 'red' });
});
