/** Every program under examples/ runs as it stands, and the guide shows these programs, not others. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { createEngine } from '../../src/engine/index.js';
import { readModelFile } from '../../src/graph/index.js';
import { predictImages } from '../../src/probe/index.js';
import { runProgram } from '../support/cli.js';
import { temporaryFolder, writeImages } from '../support/tiny.js';

const programs = (await readdir('examples')).filter((file) => file.endsWith('.mjs'));
const folder = temporaryFolder();
const guide = await readFile('docs/library.md', 'utf8');

/** As a user runs it: with the package that was built, found by its name. */
const run = (program: string, ...args: string[]) =>
  runProgram(process.execPath, [join('examples', program), ...args], process.env);

const expected: Readonly<Record<string, RegExp>> = {
  'features.mjs': /^features vector \[ 3, 64 \]$/m,
  'probe.mjs': /^\{ l2: [\d.e-]+ \} 0\.\d+ \[ 0\.\d+, 0\.\d+ \] \[ '(cat|dog)'/,
  'finetune.mjs': /^[\d.]+ \[ '(narrow|wide)', '(narrow|wide)' \]\n\d+ bytes$/m,
  'layers.mjs': /^s\d\.b\d\.\w+ \d+ [\d.]+$/m,
  'stop.mjs': /^AbortError\ntrue no tap matches 'nowhere'/m,
  'intervals.mjs': /^first \[ 0\.7\d+, 0\.8\d+ \]/,
};

test('every program has its line here', () => {
  expect(programs.toSorted()).toEqual(Object.keys(expected).toSorted());
});

test.each(programs)('%s', async (program) => {
  const written = join(folder, `${program}.onnx`);
  const writes = /^(finetune|layers)/.test(program);
  const { code, stdout, stderr } = await run(program, ...(writes ? [written] : []));
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(stdout).toMatch(expected[program] as RegExp);
  if (!writes) return;
  const { outputs } = await readModelFile(written);
  expect(outputs.map(({ name }) => name)).toEqual([program === 'layers.mjs' ? 'probabilities' : 'logits']);
});

test("a deployed head predicts photographs' classes", async () => {
  const images = await writeImages(folder, ['red'], 1, 40);
  const file = join(images, 'train/red/000.png');
  for await (const prediction of predictImages(await createEngine(), join(folder, 'layers.mjs.onnx'), [file])) {
    expect(['upright', 'lying']).toContain('class' in prediction && prediction.class);
  }
});

test.each(['features.mjs', 'probe.mjs', 'finetune.mjs'])('%s has at most ten lines', async (program) => {
  expect((await readFile(join('examples', program), 'utf8')).trimEnd().split('\n').length).toBeLessThanOrEqual(10);
});

test('the guide shows every program, as it is', async () => {
  const shown = [...guide.matchAll(/^\[(examples\/[\w.]+)\]\(\.\.\/\1\)\n```js\n(.*?)```$/gms)];
  expect(shown.map(([, file = '']) => file).toSorted()).toEqual(programs.map((file) => `examples/${file}`).toSorted());
  for (const [, file = '', code] of shown) expect(code, file).toBe(await readFile(file, 'utf8'));
  // And no program beside them.
  expect(guide.match(/^```(js|ts|mjs)$/gm)).toHaveLength(shown.length);
});
