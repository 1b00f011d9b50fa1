/** What commands load before they work: files of dist that a command imports, and packages that these import. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { bundle } from '../../scripts/bundle.mjs';
import { commandLine, runProgram } from '../support/cli.js';

type Outputs = Awaited<ReturnType<typeof bundle>>;

let folder: string;
let outputs: Outputs;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'toehold-loads-'));
  outputs = await bundle(folder);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** The file that a module of the sources begins. */
function fileOf(source: string): string {
  const found = Object.entries(outputs).find(([, { entryPoint }]) => entryPoint === source);
  if (!found) throw new Error(`no file of dist begins with ${source}`);
  return found[0];
}

/** Files that load with one, itself included, and the packages that they load. */
function loadedWith(source: string): { files: Set<string>; packages: string[] } {
  const files = new Set<string>();
  const packages = new Set<string>();
  const visit = (file: string) => {
    if (files.has(file)) return;
    files.add(file);
    for (const { path, kind, external } of outputs[file]?.imports ?? []) {
      if (kind !== 'import-statement') continue;
      if (!external) visit(path);
      else if (!path.startsWith('node:')) packages.add(path);
    }
  };
  visit(fileOf(source));
  return { files, packages: [...packages].sort() };
}

const command = (name: string) => `src/cli/${name}.ts`;

describe('before it works', () => {
  test.each([
    'ask',
    'extract',
    'export',
    'plan',
    'predict',
    'probe',
    'report',
    'run',
    'score',
    'taps',
    'train',
    'unit',
  ])('%s loads no package, and few files', (name) => {
    const { files, packages } = loadedWith(command(name));
    expect(packages).toEqual([]);
    expect(files.size).toBeLessThan(40);
  });

  test('the process that watches over another loads nothing but itself', () => {
    const { files, packages } = loadedWith(command('main'));
    expect(packages).toEqual([]);
    expect([...files].reduce((sum, file) => sum + (outputs[file]?.bytes ?? 0), 0)).toBeLessThan(20_000);
  });

  test('the first process of a command knows no room but base', () => {
    const { files, packages } = loadedWith(command('work'));
    expect(packages).toEqual([]);
    const sources = [...files].flatMap((file) => Object.keys(outputs[file]?.inputs ?? {}));
    expect(sources.filter((path) => /^src\/(?!base|cli)/.test(path))).toEqual([]);
  });

  test('what reports a study loads what draws with the first drawing', () => {
    const { files } = loadedWith(command('run'));
    const dynamic = [...files]
      .flatMap((file) => outputs[file]?.imports ?? [])
      .filter((i) => i.kind === 'dynamic-import');
    expect(dynamic.map(({ path }) => path)).toEqual(expect.arrayContaining(['vega', 'vega-lite']));
  });
});

test('a door of the package holds a module of ours once, whichever doors are imported', () => {
  const places = new Map<string, string[]>();
  for (const [file, { inputs }] of Object.entries(outputs)) {
    if (basename(file) === 'index.js' && file.includes('browser')) continue;
    for (const source of Object.keys(inputs)) places.set(source, [...(places.get(source) ?? []), file]);
  }
  expect([...places].filter(([, files]) => files.length > 1)).toEqual([]);
});

test('no text in another language than ours is put inside', () => {
  const inside = Object.values(outputs).flatMap(({ inputs }) => Object.keys(inputs));
  expect(inside.filter((path) => /\/locales\/(?!en\.js)/.test(path))).toEqual([]);
});

/** Packages that a process has loaded when it ends, libraries' own parts aside. */
async function packagesOf(args: readonly string[]): Promise<string[]> {
  const hook = `export async function load(url, context, next) {
    const [, name] = /node_modules\\/((?:@[^/]+\\/)?[^/.][^/]*)\\//.exec(url) ?? [];
    if (name) process._rawDebug('loaded ' + name);
    return next(url, context);
  }`;
  const register = `import { register } from 'node:module';
    register(${JSON.stringify(`data:text/javascript,${encodeURIComponent(hook)}`)});`;
  const preload = ['--import', `data:text/javascript,${encodeURIComponent(register)}`];
  const { code, stderr } = await runProgram(process.execPath, [...preload, ...commandLine, ...args], {
    ...process.env,
    TOEHOLD_WORKER: '1',
  });
  expect(code, stderr).toBe(0);
  return [...new Set([...stderr.matchAll(/^loaded (.*)$/gm)].map(([, name]) => name as string))].sort();
}

test('at work, commands load the libraries that their work needs', async () => {
  expect(await packagesOf(['--version'])).toEqual([]);
  const taps = await packagesOf(['taps', 'assets/demo/figures.onnx', '--json']);
  expect(taps).toContain('onnxruntime-node');
  for (const name of ['sharp', 'vega', 'vega-lite', '@tensorflow/tfjs-core', 'hyparquet'])
    expect(taps).not.toContain(name);
});
