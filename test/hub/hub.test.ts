/** Models and data sets by name, against a hub on loopback. */
import { lstatSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { UserError, WorkError } from '../../src/base/index.js';
import { decodeImage, readDataset } from '../../src/data/index.js';
import { createOnnxRuntime } from '../../src/engine/index.js';
import { loadBackbone } from '../../src/features/index.js';
import { writeModel } from '../../src/graph/index.js';
import { fetchDataset, fetchModel, parseHubName } from '../../src/hub/index.js';
import { runTrainJob } from '../../src/transfer/index.js';
import { commitOf, FakeHub, type HubRepos } from '../support/hub.js';
import { tinyNetwork } from '../support/tiny.js';

const made = (...path: string[]) => join(import.meta.dirname, '../fixtures/data/sources', ...path);
const text = (value: string) => Buffer.from(value);
const weights = Buffer.from(Array.from({ length: 5000 }, (_, i) => i % 251));
const table = (split: string) => readFileSync(made(`parquet/data/${split}-00000-of-00001.parquet`));

const repos: HubRepos = {
  'models/lab/net': {
    revisions: {
      main: {
        'README.md': text('# net'),
        'config.json': text('{"id2label": {"0": "cat", "1": "dog"}}'),
        'preprocessor_config.json': text('{"size": 8}'),
        'onnx/model.onnx': weights,
        'onnx/model.onnx_data': Buffer.concat([weights, weights]),
        'onnx/model_fp16.onnx': weights,
        'onnx/model_quantized.onnx': weights,
      },
      v1: { 'net.onnx': weights.subarray(0, 1000) },
    },
  },
  'models/lab/several': { revisions: { main: { 'a.onnx': weights, 'b.onnx': weights, 'b_int8.onnx': weights } } },
  'models/lab/small': { revisions: { main: { 'model_q4.onnx': weights } } },
  'models/lab/torch': { revisions: { main: { 'model.safetensors': weights, 'config.json': text('{}') } } },
  'models/lab/closed': { revisions: { main: { 'model.onnx': weights } }, token: 'hf_secret' },
  'datasets/lab/pictures': {
    revisions: {
      main: Object.fromEntries(['train', 'val', 'test'].map((s) => [`data/${s}-00000-of-00001.parquet`, table(s)])),
    },
  },
  'datasets/lab/configs': {
    revisions: {
      main: { 'images.zip': weights },
      'refs/convert/parquet': {
        'easy/train/0000.parquet': table('train'),
        'hard/partial-test/0000.parquet': table('test'),
      },
    },
  },
  'datasets/lab/zips': { revisions: { main: { 'images.zip': weights } } },
};

const engine = await createOnnxRuntime();
let home = '';
let hub: FakeHub;
beforeEach(async () => {
  home = mkdtempSync(join(tmpdir(), 'toehold hub '));
  hub = new FakeHub(repos);
  vi.stubEnv('HF_ENDPOINT', await hub.start());
  vi.stubEnv('HF_HOME', home);
  for (const name of ['HF_TOKEN', 'HF_HUB_CACHE', 'HF_HUB_OFFLINE', 'HF_TOKEN_PATH']) vi.stubEnv(name, '');
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await hub.stop();
  rmSync(home, { recursive: true });
});

describe('names', () => {
  test('have a repository, a revision, a file or a config', () => {
    expect(parseHubName('hf:a/b')).toEqual({ type: 'model', repo: 'a/b', revision: 'main', file: undefined });
    expect(parseHubName('hf:a/b@v1/x/y.onnx')).toMatchObject({ repo: 'a/b', revision: 'v1', file: 'x/y.onnx' });
    expect(parseHubName('hf:datasets/a/b@refs/pr/1:c')).toMatchObject({
      type: 'dataset',
      revision: 'refs/pr/1',
      config: 'c',
    });
    for (const wrong of ['hf:a', 'hf:a/../b', 'hf:a/b/../../c', 'hf:../b', 'hf:datasets/a', 'hf:a/b//x.onnx']) {
      expect(() => parseHubName(wrong), wrong).toThrow(UserError);
    }
  });
});

describe('a model', () => {
  test('is the float32 file, with its weights, preprocessing and config beside it', async () => {
    const { path, origin, quantised } = await fetchModel('hf:lab/net');
    expect(origin).toEqual({ repo: 'lab/net', revision: commitOf('main'), file: 'onnx/model.onnx' });
    expect(quantised).toBe(false);
    expect(readFileSync(path)).toEqual(weights);
    expect(readdirSync(dirname(path)).sort()).toEqual(['model.onnx', 'model.onnx_data']);
    expect(readdirSync(join(dirname(path), '..')).sort()).toEqual(['config.json', 'onnx', 'preprocessor_config.json']);
  });

  test('lies in the cache as Python lays it out, and is fetched once', async () => {
    const { path } = await fetchModel('hf:lab/net');
    const repo = join(home, 'hub/models--lab--net');
    expect(path).toBe(join(repo, 'snapshots', commitOf('main'), 'onnx/model.onnx'));
    expect(readFileSync(join(repo, 'refs/main'), 'utf8')).toBe(commitOf('main'));
    expect(lstatSync(path).isSymbolicLink() && readlinkSync(path)).toMatch(/^\.\.\/\.\.\/\.\.\/blobs\/[0-9a-f]{64}$/);
    const before = hub.requests.filter(({ url }) => url.includes('/resolve/')).length;
    await fetchModel('hf:lab/net');
    expect(hub.requests.filter(({ url }) => url.includes('/resolve/'))).toHaveLength(before);
  });

  test('at a revision, and by file', async () => {
    const { path, origin } = await fetchModel('hf:lab/net@v1');
    expect([basename(path), origin.revision]).toEqual(['net.onnx', commitOf('v1')]);
    expect((await fetchModel('hf:lab/net/onnx/model_quantized.onnx')).quantised).toBe(true);
    expect((await fetchModel('hf:lab/small')).quantised).toBe(true);
  });

  test('that is not there, or is not ONNX, or is one of several, is a sentence with what there is', async () => {
    const said = async (name: string) =>
      fetchModel(name).then(
        () => 'it was fetched',
        (error: unknown) => {
          expect(error).toBeInstanceOf(UserError);
          return (error as Error).message;
        },
      );
    expect(await said('hf:lab/nothing')).toBe('there is no model lab/nothing on the hub');
    expect(await said('hf:lab/net@v9')).toBe("there is no model lab/net at 'v9' on the hub");
    expect(await said('hf:lab/net/x.onnx')).toBe(
      'lab/net has no file x.onnx; it has onnx/model.onnx, onnx/model_fp16.onnx, onnx/model_quantized.onnx',
    );
    expect(await said('hf:lab/several')).toBe(
      'lab/several holds several ONNX files; name one as hf:lab/several/FILE: a.onnx, b.onnx',
    );
    expect(await said('hf:lab/torch')).toBe(
      "lab/torch holds no ONNX file (it has model.safetensors, config.json): export it with 'optimum-cli export onnx --model lab/torch DIR'",
    );
    expect(await said('hf:lab/torch/model.safetensors')).toContain('optimum-cli export onnx');
  });

  test('that is private wants a token, which is in no message and goes to no other host', async () => {
    await expect(fetchModel('hf:lab/closed')).rejects.toThrow('it is private or gated: set HF_TOKEN');
    vi.stubEnv('HF_TOKEN', 'hf_wrong');
    const error = await fetchModel('hf:lab/closed').catch((caught: Error) => caught);
    expect(JSON.stringify([error, (error as Error).message])).not.toContain('hf_wrong');
    vi.stubEnv('HF_TOKEN', 'hf_secret');
    expect(readFileSync((await fetchModel('hf:lab/closed')).path)).toEqual(weights);
    expect(hub.requests.at(-1)?.authorization).toBe('Bearer hf_secret');
  });
});

describe('a download', () => {
  test('that breaks off is continued where it stopped', async () => {
    hub.breakAfter = 400;
    expect(readFileSync((await fetchModel('hf:lab/net@v1')).path)).toEqual(weights.subarray(0, 1000));
    const ranges = hub.requests.filter(({ url }) => url.includes('/resolve/')).map(({ range }) => range);
    expect(ranges).toEqual([undefined, 'bytes=400-']);
  });

  test('of other bytes than are listed is refused, and leaves nothing behind', async () => {
    hub.lies = true;
    await expect(fetchModel('hf:lab/net@v1')).rejects.toThrow('is not the file that the hub lists (its hash differs)');
    expect(readdirSync(join(home, 'hub/models--lab--net/blobs'))).toEqual([]);
  });
});

describe('without the hub', () => {
  test('HF_HUB_OFFLINE asks nobody, and what is in the cache is found', async () => {
    vi.stubEnv('HF_HUB_OFFLINE', '1');
    await expect(fetchModel('hf:lab/net')).rejects.toThrow(
      "lab/net at 'main' is not in the cache, and HF_HUB_OFFLINE is set",
    );
    vi.stubEnv('HF_HUB_OFFLINE', '');
    const { path } = await fetchModel('hf:lab/net');
    const { length } = hub.requests;
    vi.stubEnv('HF_HUB_OFFLINE', '1');
    const offline = await fetchModel('hf:lab/net');
    expect(offline.path).toBe(path);
    expect(offline.notes).toEqual(['lab/net: from the cache, since HF_HUB_OFFLINE is set']);
    expect(hub.requests).toHaveLength(length);
  });

  test('a hub that cannot be reached is a failure of the work, unless the cache has the model', async () => {
    const { path } = await fetchModel('hf:lab/net@v1');
    vi.stubEnv('HF_ENDPOINT', 'http://127.0.0.1:9');
    expect((await fetchModel('hf:lab/net@v1')).path).toBe(path);
    const error = await fetchModel('hf:lab/small').catch((caught: Error) => caught);
    expect(error).toBeInstanceOf(WorkError);
    expect((error as Error).message).toMatch(/^lab\/small: the hub cannot be reached \(.*\); try again/);
  });
});

describe('a data set', () => {
  test('is read from its own Parquet files, with the names of its classes', async () => {
    const { classes, examples } = await readDataset('hf:datasets/lab/pictures');
    expect(classes).toEqual(['9', '10']);
    expect(examples.map((e) => e.split).sort()).toEqual([
      ...Array(2).fill('test'),
      ...Array(4).fill('train'),
      ...Array(4).fill('val'),
    ]);
    expect((await decodeImage(examples[0]?.image ?? '')).width).toBe(32);
    expect(examples[0]?.file).toBe('data/test-00000-of-00001.parquet/0');
  });

  test("is read from the hub's conversion where it has none, by config", async () => {
    await expect(readDataset('hf:datasets/lab/configs')).rejects.toThrow(
      'lab/configs has several configs; name one as hf:datasets/lab/configs:CONFIG: easy, hard',
    );
    const { examples } = await readDataset('hf:datasets/lab/configs:hard');
    expect(examples.map((e) => e.split)).toEqual(['test', 'test']);
    expect((await fetchDataset('hf:datasets/lab/configs:easy')).files.map((f) => realpathSync(f))).toHaveLength(1);
    await expect(readDataset('hf:datasets/lab/configs:odd')).rejects.toThrow("has no config 'odd'");
  });

  test('that is no Parquet is a sentence with what there is', async () => {
    await expect(readDataset('hf:datasets/lab/zips')).rejects.toThrow(
      'lab/zips is not there as Parquet (it has images.zip)',
    );
    await expect(readDataset('hf:datasets/lab/nothing')).rejects.toThrow('there is no data set lab/nothing on the hub');
  });
});

describe('a network by name', () => {
  const config = { size: 16, resample: 3, image_mean: [0.5, 0.5, 0.5], image_std: [0.5, 0.5, 0.5] };
  beforeEach(() => {
    const onnx = Buffer.from(writeModel(tinyNetwork()));
    repos['models/lab/tiny'] = {
      revisions: {
        main: {
          'model.onnx': onnx,
          'model_int8.onnx': onnx,
          'config.json': text('{"id2label": {"0": "a", "1": "b", "2": "c", "3": "d"}}'),
          'preprocessor_config.json': text(JSON.stringify(config)),
        },
        bare: { 'model.onnx': onnx },
      },
    };
  });

  test('is loaded with the preprocessing and the classes that lie beside it, and says where it comes from', async () => {
    const backbone = await loadBackbone('hf:lab/tiny', engine);
    expect(backbone).toMatchObject({
      name: 'tiny',
      preprocess: { size: [16, 16], interpolation: 'bicubic', mean: [0.5, 0.5, 0.5] },
      preprocessing: { how: 'read', from: 'preprocessor_config.json' },
      classes: ['a', 'b', 'c', 'd'],
      origin: { repo: 'lab/tiny', revision: commitOf('main'), file: 'model.onnx' },
      notes: [],
    });
    const guessed = await loadBackbone('hf:lab/tiny@bare', engine);
    expect(guessed.preprocessing).toEqual({ how: 'guessed', from: 'ImageNet mean and std' });
  });

  test('is not trained from a quantised file', async () => {
    const job = {
      model: 'hf:lab/tiny/model_int8.onnx',
      data: home,
      treatment: { name: 'finetune' },
      out: home,
    } as const;
    await expect(runTrainJob(engine, job)).rejects.toThrow(
      'model_int8.onnx holds quantised weights: their rounding has no gradient and is lost in training; name a float32 file',
    );
  });
});

test('files of other programs get the line that makes ONNX of them', async () => {
  await expect(loadBackbone('weights/net.pth', engine)).rejects.toThrow(
    /net.pth is no ONNX file; make one with: python -c .*torch.onnx.export/,
  );
  await expect(loadBackbone('net/model.safetensors', engine)).rejects.toThrow(
    'optimum-cli export onnx --model net DIR',
  );
  await expect(loadBackbone('net.keras', engine)).rejects.toThrow(
    'python -m tf2onnx.convert --keras net.keras --output model.onnx',
  );
});
