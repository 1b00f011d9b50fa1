/** What a program gets when it imports the package: doors, types, and no native code before it is needed. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { nodeArguments, runProgram } from '../support/cli.js';
import { temporaryFolder } from '../support/tiny.js';

type Door = string | { readonly types: string; readonly default: string };
const { exports, sideEffects, name } = JSON.parse(await readFile('package.json', 'utf8')) as {
  name: string;
  exports: Record<string, Door>;
  sideEffects: boolean;
};
const doors = Object.entries(exports).flatMap(([path, door]) => (typeof door === 'string' ? [] : [{ path, door }]));
const source = (built: string) => built.replace('./dist/', './src/').replace(/(\.d)?\.[jt]s$/, '.ts');

test('every room that programs may use is a subpath, and its door', () => {
  expect(doors.map(({ path }) => path)).toEqual(
    expect.arrayContaining(['.', './stats', './graph', './probe', './features', './report', './data', './engine']),
  );
  for (const { path, door } of doors) {
    expect(existsSync(source(door.default)), path).toBe(true);
    expect(source(door.types), path).toBe(source(door.default));
  }
  const files = Object.values(exports).filter((door) => typeof door === 'string');
  for (const file of files) expect(existsSync(file), file).toBe(true);
  expect(sideEffects).toBe(false);
});

test('importing them loads no native library, and leaves nothing that keeps a process alive', async () => {
  const imports = doors.map(({ door }) => `await import(${JSON.stringify(resolve(source(door.default)))});`);
  const program = `${imports.join('')}
    const { sharedObjects } = process.report.getReport();
    console.log(JSON.stringify(sharedObjects.filter((file) => file.endsWith('.node'))));`;
  const args = [...nodeArguments, '--input-type=module', '-e', program];
  const { code, stdout, stderr } = await runProgram(process.execPath, args, process.env);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(JSON.parse(stdout)).toEqual([]);
});

const consumer = `
import { Estimator, export as save, extract, type Features, finetune, fit, load, type Model, taps, UserError, WorkError } from '${name}';
${doors
  .filter(({ path }) => path !== '.')
  .map(({ path }, i) => `import * as room${i} from '${name}${path.slice(1)}';\nexport type Room${i} = typeof room${i};`)
  .join('\n')}

export async function program(paths: string[], signal: AbortSignal): Promise<Uint8Array> {
  const model: Model = await load('model.onnx', { size: 224, preprocess: { mean: [0, 0, 0] } });
  const features: Features = await extract(model, [...paths, new Uint8Array(4)], { signal });
  const alias: string | undefined = (await taps(model))[0]?.alias;
  const probe: Estimator<string> = await fit(features, paths.map((p) => p.slice(1)), { method: 'linear', signal });
  const numbers: number[] = await (await fit([[1], [2]], [3, 4])).predict([[1]]);
  const words: string[] = await probe.predict(features);
  // @ts-expect-error: labels of another type than those that were learned
  await probe.score(features, [1]);
  // @ts-expect-error: a data set goes into a folder, which must be named
  await extract(model, 'photos');
  const trained = await finetune(model, paths, words, { epochs: 1, treatment: 'scratch' });
  const values: number[] = await (await finetune(model, paths, [0.5, 2], { target: 'regression' })).predict(paths);
  const rows = await finetune(model, paths, [[1, 2]], { target: 'regression', epochs: 1 });
  const r2: number = (await rows.score(paths, [[values.length, 2]])).r2;
  const tagged = await finetune(model, 'photos.csv', { output: 'run', target: 'multilabel' });
  const tags: string[][] = r2 > 0 ? await tagged.predict(paths) : [];
  const ages: number[] = await (await fit(features, [0.5, 2], { target: 'regression' })).predict(features);
  // @ts-expect-error: classes have no R2
  (await probe.score(features, paths)).r2 === ages[0];
  // @ts-expect-error: one label an image where several are learned
  await finetune(model, paths, tags.flat(), { target: 'multilabel' });
  if (numbers.length === 0) throw new UserError(alias ?? '');
  return save(trained.failedToTrain ? probe : tagged.failedToTrain ? trained : tagged);
}
export const isOurs = (error: unknown) => error instanceof UserError || error instanceof WorkError;
`;

test('a program compiles against the types with every check, and without a browser', { timeout: 300_000 }, async () => {
  const folder = temporaryFolder();
  await mkdir(join(folder, 'node_modules/@types'), { recursive: true });
  await symlink(resolve('.'), join(folder, 'node_modules', name));
  await symlink(resolve('node_modules/@types/node'), join(folder, 'node_modules/@types/node'));
  await writeFile(join(folder, 'package.json'), '{ "type": "module" }');
  await writeFile(join(folder, 'program.ts'), consumer);
  const compilerOptions = {
    target: 'ES2023',
    lib: ['ES2023'],
    module: 'NodeNext',
    strict: true,
    exactOptionalPropertyTypes: true,
    skipLibCheck: false,
    noEmit: true,
    types: ['node'],
  };
  await writeFile(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['program.ts'] }));
  const tsc = resolve('node_modules/typescript/bin/tsc');
  const compile = promisify(execFile)(process.execPath, [tsc, '-p', folder], { maxBuffer: 2 ** 26 });
  const said = await compile.then(
    () => '',
    (error: { stdout: string }) => error.stdout,
  );
  expect(said).toBe('');
});
