/** Every program under examples/ runs as it stands, and the guide shows these programs, what they print and what they draw. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { argumentsOf, examplesIn, section } from '../../scripts/guide.mjs';
import { createEngine } from '../../src/engine/index.js';
import { readModelFile } from '../../src/graph/index.js';
import { predictImages } from '../../src/probe/index.js';
import { runProgram } from '../support/cli.js';
import { temporaryFolder, writeImages } from '../support/tiny.js';

const programs = (await readdir('examples')).flatMap((file) => /^(\w+)\.mjs$/.exec(file)?.[1] ?? []);
const folder = temporaryFolder();
const shown = examplesIn(await readFile('docs/guide.md', 'utf8'));
const codeOf = (name: string) => readFile(join('examples', `${name}.mjs`), 'utf8');

test('the guide shows every program once, as it is, and no other code', async () => {
  expect(shown.map(({ name }) => name).toSorted()).toEqual(programs.toSorted());
  for (const { name, figure, body, printed } of shown) {
    expect(printed, 'npm run guide').not.toBe('');
    expect(body, 'npm run guide').toBe(section({ name, figure, code: await codeOf(name), printed }));
  }
  const guide = await readFile('docs/guide.md', 'utf8');
  expect(guide.match(/^```\w+$/gm)).toHaveLength(shown.length);
});

const number = /[-−]?\d+(\.\d+)?(e-?\d+)?/g;
const words = (text: string) => text.replace(number, '#');
const numbers = (text: string) => (text.match(number) ?? []).map(Number);

/** The same words, and numbers that are near: processors round differently, and what is trained or chosen differs a little then. */
function expectAlike(text: string, published: string) {
  expect(words(text)).toBe(words(published));
  const expected = numbers(published);
  for (const [i, value] of numbers(text).entries()) {
    const there = expected[i] as number;
    const leeway = (Number.isInteger(there) ? 2 : 0.1) + 0.2 * Math.abs(there);
    expect(Math.abs(value - there), `${value} where ${there} is published`).toBeLessThan(leeway);
  }
}

/** What stands in a drawing: titles, names, ticks. */
const textsOf = (svg: string) => [...svg.matchAll(/<text[^>]*>([^<]*)</g)].map(([, text = '']) => text);

test.each(shown)('$name', { timeout: 400_000 }, async ({ name, figure, printed }) => {
  const [drawing, model] = [join(folder, `${name}.svg`), join(folder, `${name}.onnx`)];
  const code = await codeOf(name);
  const args = argumentsOf({ figure, code }, drawing, model);
  const outcome = await runProgram(process.execPath, [join('examples', `${name}.mjs`), ...args], process.env);
  expect({ code: outcome.code, stderr: outcome.stderr }).toEqual({ code: 0, stderr: '' });
  expectAlike(outcome.stdout, printed);
  if (figure !== undefined) {
    const published = textsOf(await readFile(`docs/images/guide-${name}.svg`, 'utf8'));
    const isName = (text: string) => Number.isNaN(Number(text.replace('−', '-')));
    expect(textsOf(await readFile(drawing, 'utf8')).filter(isName)).toEqual(published.filter(isName));
  }
  if (code.includes('export as')) {
    const { outputs } = await readModelFile(model);
    expect(outputs.map((output) => output.name)).toEqual([name === 'layers' ? 'probabilities' : 'logits']);
  }
  if (name === 'layers') {
    // What it wrote takes photographs.
    const photograph = join(await writeImages(folder, ['red'], 1, 40), 'train/red/000.png');
    for await (const prediction of predictImages(await createEngine(), model, [photograph])) {
      expect('class' in prediction && prediction.class).toMatch(/^\d+(\.5)?°$/);
    }
  }
});

test.each(['features', 'probe', 'finetune', 'values'])('%s has at most ten lines', async (name) => {
  expect((await codeOf(name)).trimEnd().split('\n').length).toBeLessThanOrEqual(10);
});
