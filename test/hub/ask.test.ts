/** toehold ask on names alone: model and data from a hub on loopback, and where they come from in what it prints and writes. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parquetWriteBuffer } from 'hyparquet-writer';
import sharp from 'sharp';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { writeModel } from '../../src/graph/index.js';
import { demoNetwork } from '../../src/study/demo/backbone.js';
import { side } from '../../src/study/demo/draw.js';
import { drawExamples, targetTasks } from '../../src/study/demo/tasks.js';
import { toehold } from '../support/cli.js';
import { commitOf, FakeHub } from '../support/hub.js';
import { temporaryFolder } from '../support/tiny.js';

const task = targetTasks.find(({ name }) => name === 'position') as (typeof targetTasks)[number];
const png = (pixels: Uint8Array) =>
  sharp(pixels, { raw: { width: side, height: side, channels: 3 } })
    .png()
    .toBuffer();

async function table(split: 'train' | 'test', n: number): Promise<Uint8Array> {
  const examples = drawExamples(task, split, n, 7);
  const images = await Promise.all(examples.map(({ pixels }) => png(pixels)));
  const columnData = [
    { name: 'image', data: images.map((bytes) => new Uint8Array(bytes)), type: 'BYTE_ARRAY' as const },
    { name: 'label', data: examples.map(({ label }) => label), type: 'INT32' as const },
  ];
  return new Uint8Array(parquetWriteBuffer({ columnData }));
}

const model = writeModel(demoNetwork(12, 1));
const folder = temporaryFolder();
let hub: FakeHub;

beforeAll(async () => {
  const files = {
    'data/train-00000-of-00001.parquet': await table('train', 54),
    'data/test-00000-of-00001.parquet': await table('test', 36),
  };
  hub = new FakeHub({
    'models/lab/figures': {
      revisions: { main: { 'model.onnx': model, 'preprocess.json': Buffer.from('{"size": 32, "resize": "exact"}') } },
    },
    'models/lab/torch': { revisions: { main: { 'model.safetensors': model } } },
    'models/lab/several': { revisions: { main: { 'a.onnx': model, 'b.onnx': model } } },
    'datasets/lab/drawn': { revisions: { main: files } },
  });
  vi.stubEnv('HF_ENDPOINT', await hub.start());
  vi.stubEnv('HF_HOME', join(folder, 'home'));
  for (const name of ['HF_TOKEN', 'HF_HUB_OFFLINE', 'HF_HUB_CACHE']) vi.stubEnv(name, '');
});
afterAll(async () => {
  vi.unstubAllEnvs();
  await hub.stop();
});

test('ask hf:owner/name hf:datasets/owner/name', { timeout: 600_000 }, async () => {
  const output = join(folder, 'answer');
  const args = ['ask', 'hf:lab/figures', 'hf:datasets/lab/drawn', '--no-training', '-o', output, '--json', '--quiet'];
  const { code, stdout } = await toehold(...args);
  expect(code).toBe(0);
  const said = JSON.parse(stdout);
  const revision = commitOf('main');
  const sha256 = createHash('sha256').update(model).digest('hex');
  expect(said.backbones).toEqual([
    {
      name: expect.any(String),
      sha256,
      origin: { repo: 'lab/figures', revision, file: 'model.onnx' },
      preprocessing: { how: 'read', from: 'preprocess.json' },
    },
  ]);
  expect(said.data).toMatchObject([{ origin: { repo: 'lab/drawn', revision } }]);
  const run = JSON.parse(readFileSync(join(output, 'run.json'), 'utf8'));
  expect(run.backbones[0].origin).toEqual(said.backbones[0].origin);
  expect(run.tasks[0].origin).toEqual(said.data[0].origin);
  expect(readFileSync(join(output, 'study.yaml'), 'utf8')).toMatch(/model: hf:lab\/figures$/m);
  expect(said.answer.headline).not.toBe('');
});

test.each([
  ['a name that is not there', 'hf:lab/nobody', /lab\/nobody/],
  ['a repository without ONNX', 'hf:lab/torch', /lab\/torch holds no ONNX file \(it has model\.safetensors\)/],
  ['several files', 'hf:lab/several', /several ONNX files; name one as hf:lab\/several\/FILE: a\.onnx, b\.onnx/],
  ['a file that is not there', 'hf:lab/several/c.onnx', /has no file c\.onnx; it has a\.onnx, b\.onnx/],
])('%s: one sentence, which lists what there is', async (_, name, sentence) => {
  const args = ['ask', name, 'hf:datasets/lab/drawn', '-o', join(folder, 'none'), '--json', '--quiet'];
  const { code, stdout } = await toehold(...args);
  expect(code).toBe(2);
  expect(JSON.parse(stdout).error).toMatchObject({ kind: 'request', message: expect.stringMatching(sentence) });
});
