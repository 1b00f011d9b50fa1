/**
 * The command line is a contract: exit codes 0 (done), 1 (the work failed), 2 (the request was wrong); with --json one
 * document on stdout and nothing else, of errors too; messages on stderr, one sentence, no stack trace.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, test, vi } from 'vitest';
import { UserError, WorkError } from '../../src/base/index.js';
import { fail, printJson, startOutput } from '../../src/cli/output.js';
import { float32, GraphBuilder, writeModel } from '../../src/graph/index.js';
import { captured, commandLine, nodeArguments, runProgram, toehold, toeholdProcess } from '../support/cli.js';
import { temporaryFolder, writeImages, writeTinyModel } from '../support/tiny.js';

const folder = temporaryFolder('toehold contract ');
let model = '';
let photo = '';
let head = '';

/** An exported head without training. @param logits from float32 [H, W, 3] to [1, classes] */
async function writeHead(name: string, logits: (b: GraphBuilder, image: string) => string): Promise<string> {
  const b = new GraphBuilder();
  const pixels = b.cast(b.input('image', 'uint8', ['H', 'W', 3]), 'float32');
  b.output(b.op('Softmax', [logits(b, pixels)]), 'probabilities');
  const metadata = new Map([['toehold.classes', '["red","green","blue"]']]);
  const path = join(folder, name);
  await writeFile(path, writeModel({ ...b.build(), opsets: new Map([['', 17]]), metadata }));
  return path;
}

beforeAll(async () => {
  model = await writeTinyModel(folder);
  const images = await writeImages(join(folder, 'images'), ['a', 'b'], 6);
  const [first = ''] = await readdir(join(images, 'train', 'a'));
  photo = join(images, 'train', 'a', first);
  head = await writeHead('head.onnx', (b, image) => {
    const mean = b.op<string>('ReduceMean', [image], { axes: { kind: 'ints', value: [0, 1] }, keepdims: 0 });
    return b.op('Unsqueeze', [mean, b.ints([0])]);
  });
});

/** A run that must succeed, its document parsed. */
async function document(...args: string[]) {
  const { code, stdout, stderr } = await toehold(...args, '--json');
  expect(code, stderr).toBe(0);
  return JSON.parse(stdout);
}

interface Failure {
  code: 1 | 2;
  kind: 'request' | 'work';
  message: RegExp;
}

/** A run that must fail, with one sentence, without and with --json. */
async function failure(args: readonly string[], { code, kind, message }: Failure) {
  const plain = await toehold(...args);
  expect(plain).toMatchObject({ code, stdout: '' });
  expect(plain.stderr).toMatch(/^toehold: .*\n$/);
  expect(plain.stderr).toMatch(message);
  const json = await toehold(...args, '--json');
  expect(json.code).toBe(code);
  expect(json.stderr).toBe(plain.stderr);
  expect(JSON.parse(json.stdout)).toEqual({ error: { kind, message: plain.stderr.slice('toehold: '.length, -1) } });
}

const request = (message: RegExp): Failure => ({ code: 2, kind: 'request', message });

describe('toehold', () => {
  test('--version and --help are answers', async () => {
    expect(await toehold('--version')).toEqual({
      code: 0,
      stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/),
      stderr: '',
    });
    const { code, stdout, stderr } = await toehold('--help');
    expect([code, stderr]).toEqual([0, '']);
    const commands = [...stdout.matchAll(/^ {2}([a-z]+) {2,}\S/gm)].map(([, name]) => name);
    expect(commands).toEqual(expect.arrayContaining(['taps', 'extract', 'probe', 'train', 'run', 'predict', 'doctor']));
    for (const name of commands.filter((c) => c !== 'help')) {
      const help = await toehold(...(name === 'taps' ? ['help', name] : [name as string, '--help']));
      expect(help).toMatchObject({ code: 0, stderr: '' });
      expect(help.stdout).toMatch(new RegExp(`^Usage: toehold ${name} `));
    }
  });

  test('a wrong command line is named, with the nearest right one', async () => {
    await failure(['tap'], request(/unknown command 'tap' \(Did you mean taps\?\)$/m));
    await failure(['help', 'tap'], request(/unknown command 'tap' \(Did you mean taps\?\)$/m));
    await failure(['xylophone'], request(/unknown command 'xylophone'; toehold --help lists the commands$/m));
    await failure(['taps', model, '--tasp', 'all'], request(/unknown option '--tasp' \(Did you mean --taps\?\)$/m));
    await failure(['taps', model, '--xyz'], request(/unknown option '--xyz'; --help lists the options$/m));
    await failure(['taps'], request(/missing required argument 'model'$/m));
    expect(await toehold()).toMatchObject({ code: 2, stdout: '' });
  });

  test('the engine flags of every command are checked', async () => {
    await failure(['taps', model, '--engine', 'tensorflo'], request(/'tensorflo' is invalid.*onnxruntime/));
    await failure(['predict', head, photo, '--device', 'gpu'], request(/'gpu' is invalid.*cpu, cuda, webgpu/));
    await failure(['export', 'x', '--threads', '1.5'], request(/'1.5' is invalid: it must be a whole number, 0 or/));
    const missing = process.platform === 'win32' ? 'coreml' : 'dml';
    await failure(['taps', model, '--device', missing], request(/not available here: .*use --device cpu$/m));
  });
});

describe('the process', () => {
  test('ends with the code and the streams of the contract', async () => {
    const done = await toeholdProcess(['taps', model, '--size', '16', '--json']);
    expect(done).toMatchObject({ code: 0, stderr: '' });
    expect(JSON.parse(done.stdout).taps).toHaveLength(6);
    const wrong = await toeholdProcess(['taps', 'none.onnx']);
    expect(wrong).toEqual({ code: 2, stdout: '', stderr: 'toehold: no such file or folder: none.onnx\n' });
  });

  test('a reader that closes the pipe early is no failure', async () => {
    const child = spawn(process.execPath, [...commandLine, 'taps', model, '--size', '16']);
    child.stdout.destroy();
    const errors: string[] = [];
    child.stderr.on('data', (text) => errors.push(String(text)));
    expect(await once(child, 'close')).toEqual([0, null]);
    expect(errors.join('')).not.toContain('EPIPE');
  });

  /** The command line in a Node where `code` ran first. */
  const preloaded = (code: string, ...args: string[]) => {
    const preload = ['--import', `data:text/javascript,${encodeURIComponent(code)}`];
    const command = ['src/cli/main.ts', ...args];
    return runProgram(process.execPath, [...nodeArguments, ...preload, ...command], process.env);
  };

  test('an error outside of the work that is awaited ends in a sentence, too', async () => {
    const throws = `process.on('newListener', (name) => {
      if (name === 'uncaughtException') setTimeout(() => { throw new Error('stray'); }, 1);
    });`;
    const stray = await preloaded(throws, 'taps', model);
    expect(stray).toMatchObject({
      code: 1,
      stdout: '',
      stderr: expect.stringMatching(/^toehold: stray\nThis is a fault/),
    });
    expect(stray.stderr).not.toMatch(/\n +at /);
  });

  test('work that is never done is a failure, not a silent end', async () => {
    const never = `import fs from 'node:fs'; import { syncBuiltinESMExports } from 'node:module';
      fs.promises.readFile = () => new Promise(() => {}); syncBuiltinESMExports();`;
    const { code, stdout, stderr } = await preloaded(never, 'taps', model, '--json');
    expect([code, JSON.parse(stdout)]).toEqual([
      1,
      { error: { kind: 'fault', message: 'the work stopped before its end' } },
    ]);
    expect(stderr).toMatch(/^toehold: the work stopped before its end\nThis is a fault/);
  });
});

describe('taps', () => {
  test('--json is one document with the contract keys', async () => {
    const { model: of, taps } = await document('taps', model, '--size', '16');
    expect(of).toMatchObject({ sha256: expect.stringMatching(/^[0-9a-f]{64}$/), inputs: [{ name: 'input' }] });
    expect(Object.keys(taps[0])).toEqual(
      expect.arrayContaining(['name', 'alias', 'kind', 'op', 'shape', 'depth', 'params', 'macs']),
    );
  });

  test('a file that is none, and one that is no model', async () => {
    await failure(['taps', join(folder, 'none.onnx')], request(/no such file or folder: .*none\.onnx$/m));
    await failure(['taps', photo], request(/000\.png/));
    await failure(['taps', model, '--size', '16x'], request(/'16x' is invalid: give pixels: 224 or 192x224$/m));
  });
});

describe('predict', () => {
  test('--json lists every image with its ranking', async () => {
    const { predictions } = await document('predict', head, photo, photo, '--top', '2');
    expect(predictions).toHaveLength(2);
    expect(predictions[0]).toMatchObject({ file: photo, class: 'red', probability: expect.any(Number) });
    expect(predictions[0].ranking).toEqual([
      { class: 'red', probability: predictions[0].probability },
      { class: expect.any(String), probability: expect.any(Number) },
    ]);
  });

  test('for people it is a table', async () => {
    const { code, stdout } = await toehold('predict', head, photo, '--top', '1');
    expect(code).toBe(0);
    expect(stdout.split('\n')).toEqual([
      expect.stringMatching(/^image +class 1 +p$/),
      expect.stringMatching(/^[─ ]+$/),
      expect.stringMatching(/000\.png +red +1\.000$/),
      '',
    ]);
  });

  test('wrong requests: no head, no image, no number', async () => {
    await failure(['predict', model, photo], request(/tiny\.onnx was not written by toehold export/));
    await failure(['predict', head, model], request(/tiny\.onnx/));
    await failure(
      ['predict', head, photo, '--top', '0'],
      request(/'0' is invalid: it must be a whole number, 1 or more$/m),
    );
  });

  test('goes on past a file that is no image: it is listed, and the end is 1 unless that may pass', async () => {
    const { code, stdout, stderr } = await toehold('predict', head, photo, model, photo, '--json');
    expect([code, stderr]).toEqual([
      1,
      expect.stringMatching(
        /^unreadable: .*tiny\.onnx: it is none of .*\ntoehold: 1 of 3 files cannot be read; --skip-bad lets that pass\n$/,
      ),
    ]);
    const { predictions, unreadable } = JSON.parse(stdout);
    expect([predictions.length, unreadable]).toEqual([
      2,
      [{ file: model, reason: expect.stringContaining('none of JPEG') }],
    ]);
    expect((await document('predict', head, photo, model, '--skip-bad')).predictions).toHaveLength(1);
  });

  test('takes a folder, and a list on stdin', async () => {
    const { predictions } = await document('predict', head, join(folder, 'images', 'train'));
    expect(predictions.map((p: { file: string }) => p.file)).toHaveLength(12);
    const list = join(folder, 'list.txt');
    await writeFile(list, `${photo}\n${photo}\n`);
    const shell = await runProgram(
      'sh',
      ['-c', '"$0" "$@" < "$LIST"', process.execPath, ...commandLine, 'predict', head, '-', '--json'],
      {
        ...process.env,
        LIST: list,
      },
    );
    expect(JSON.parse(shell.stdout).predictions).toHaveLength(2);
    await failure(['predict', head, join(folder, 'images', 'nothing')], request(/it is not there/));
  });

  test('probabilities that are no numbers are an error', async () => {
    const broken = await writeHead('nan.onnx', (b, image) => {
      const mean = b.op<string>('ReduceMean', [image], { axes: { kind: 'ints', value: [0, 1] }, keepdims: 0 });
      return b.op('Unsqueeze', [b.op('Mul', [mean, b.constant(float32([3], [1, Number.NaN, 1]))]), b.ints([0])]);
    });
    await failure(['predict', broken, photo], {
      code: 1,
      kind: 'work',
      message: /the probabilities of .*png are not numbers/,
    });
  });

  test('work that fails on the way is 1', async () => {
    const broken = await writeHead('broken.onnx', (b, image) => {
      const weight = b.constant(float32([5, 3], new Float32Array(15)));
      return b.op('MatMul', [b.op('Reshape', [image, b.ints([1, -1])]), weight]);
    });
    await failure(['predict', broken, photo], { code: 1, kind: 'work', message: /the engine failed at MatMul/ });
  });
});

describe('export', () => {
  test('from images to a file that predict takes', async () => {
    const [store, run, file] = ['store', 'run', 'out.onnx'].map((name) => join(folder, name)) as [
      string,
      string,
      string,
    ];
    const reading = ['--size', '16', '--preprocess', 'half'];
    await document('extract', model, join(folder, 'images'), '-o', store, ...reading, '--quiet');
    await document('probe', store, '-o', run, '-m', 'linear', '--folds', '2');
    const exported = await document('export', run, '-o', file);
    expect(exported).toEqual({
      file,
      bytes: expect.any(Number),
      method: 'linear',
      deepestTap: expect.any(String),
    });
    const { predictions } = await document('predict', file, photo);
    expect(predictions[0].class).toBe('a');
    const text = await toehold('export', run, '-o', file);
    expect(text).toMatchObject({ code: 0, stdout: expect.stringMatching(/out\.onnx: linear, .*input image uint8/) });
    await failure(['export', run, '-m', 'linea', '-o', file], request(/linea/));
  });

  test('a folder without a run', async () => {
    await failure(['export', folder], request(/toehold contract .*toehold probe/));
  });
});

test('doctor says what works', async () => {
  const { ok, machine, checks } = await document('doctor');
  expect([ok, machine]).toEqual([true, expect.stringContaining('cores')]);
  const names = checks.map((c: { name: string }) => c.name);
  expect(names).toEqual(expect.arrayContaining([expect.stringMatching(/^onnxruntime-node \d+\.\d+/), 'device cpu']));
  for (const check of checks) {
    expect(check).toEqual({
      name: expect.any(String),
      ok: expect.any(Boolean),
      detail: expect.any(String),
      required: expect.any(Boolean),
    });
    expect(check.ok || check.detail !== '').toBe(true);
  }
  const { code, stdout } = await toehold('doctor');
  expect(code).toBe(0);
  expect(stdout).toMatch(/^ok {2}device cpu: \d+ threads$/m);
});

test('schema prints the JSON Schema, with and without --json', async () => {
  const schema = await document('schema');
  expect(schema).toMatchObject({ $schema: expect.any(String), type: 'object' });
  expect(JSON.parse((await toehold('schema')).stdout)).toEqual(schema);
});

describe('an error that reaches the end', () => {
  const printed = (error: unknown, json: boolean) =>
    captured(() => {
      startOutput(json);
      fail(error);
    });

  test('has a code of the contract', async () => {
    expect(await printed(new UserError('wrong'), false)).toEqual({ code: 2, stdout: '', stderr: 'toehold: wrong\n' });
    expect(await printed(new WorkError('disk full'), false)).toEqual({
      code: 1,
      stdout: '',
      stderr: 'toehold: disk full\n',
    });
  });

  test('that is a fault of ours asks for a report, and shows its place only when asked', async () => {
    const { code, stdout, stderr } = await printed(new TypeError('x is not a function'), false);
    expect([code, stdout]).toEqual([1, '']);
    expect(stderr).toMatch(/^toehold: x is not a function\nThis is a fault of toehold itself.*TOEHOLD_TRACE=1.*\n$/);
    vi.stubEnv('TOEHOLD_TRACE', '1');
    expect((await printed(new TypeError('x is not a function'), false)).stderr).toContain('contract.test.ts');
    vi.unstubAllEnvs();
  });

  test('is one document where JSON is read', async () => {
    expect(JSON.parse((await printed('thrown text', true)).stdout)).toEqual({
      error: { kind: 'fault', message: 'thrown text' },
    });
  });

  test('adds no second document to the one that a command has printed', async () => {
    const { code, stdout } = await captured(() => {
      startOutput(true);
      printJson({ units: 3 });
      fail(new WorkError('1 of 3 units failed'));
    });
    expect([code, JSON.parse(stdout)]).toEqual([1, { units: 3 }]);
  });
});
