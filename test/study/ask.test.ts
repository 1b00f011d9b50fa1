/** A question without a file: its config, and how much of the answer fits into some minutes. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { readRecord } from '../../src/record/index.js';
import { configJsonSchema, configOf, configText, fitInto, parseConfig, resolveConfig } from '../../src/study/index.js';
import { toehold } from '../support/cli.js';
import { testEngine } from '../support/run.js';
import { temporaryFolder } from '../support/tiny.js';
import { writeSmallData } from './support/small.js';

const folder = temporaryFolder('toehold ask ');
const model = join(folder, 'model.onnx');
const data = join(folder, 'position');
const question = { model, data, preprocess: 'cifar' };
beforeAll(() => writeSmallData(folder, ['position']));

test('the config is one that run takes, with paths from where it lies, under names made of the files’', () => {
  const config = configOf({ ...question, size: 32, groupFrom: "file:'/(\\d)'" }, join(folder, 'runs'));
  const file = join(folder, 'runs', 'study.yaml');
  expect(parseConfig(configText(config, ['a heading']), file).config).toEqual(config);
  expect(Object.values(config.backbones)).toMatchObject([{ model: '../model.onnx', preprocess: 'cifar' }]);
  expect(config.tasks.position).toMatchObject({ data: '../position', groupFrom: "file:'/(\\d)'" });
  expect(config.input).toBe(32);
  expect(() => resolveConfig(config, join(folder, 'runs'))).not.toThrow();
});

test.each([
  ['my photos (2).csv', 'my-photos-2-'],
  ['.hidden', 'hidden'],
  ['Vögel', 'Vögel'],
])('a data set called %s is task %s', (name, task) => {
  expect(Object.keys(configOf({ ...question, data: join(folder, name) }, folder).tasks)).toEqual([task]);
});

describe('within some minutes', () => {
  const within = async (minutes: number) => fitInto(configOf(question, folder), folder, minutes, await testEngine());
  test('everything, where there is time for it', async () => {
    const { inputs, leftOut } = await within(10_000);
    expect(leftOut).toBeUndefined();
    expect(inputs.study.config.methods).toEqual(['linear', 'auto', 'head2toe', 'finetune', 'scratch']);
  });

  test('no training where there is none, and what it would take is said', async () => {
    const { inputs, plan, leftOut } = await within(0.01);
    expect(inputs.study.config.methods).toEqual(['linear', 'auto']);
    expect(plan.units.some((unit) => unit.kind.name === 'train')).toBe(false);
    expect(leftOut).toMatch(/^not within 0.01 minutes: .*fine-tuning.*--minutes \d+/);
  });
});

test('the command answers, keeps its config beside the page, and does nothing twice', async () => {
  const output = join(folder, 'answer');
  const ask = () =>
    toehold('ask', model, data, '-o', output, '--preprocess', 'cifar', '--no-training', '--quiet', '--json');
  const first = await ask();
  expect(first.code).toBe(0);
  const { answer, units } = JSON.parse(first.stdout);
  expect(answer.tasks).toHaveLength(1);
  expect(units.failed).toBe(0);
  const record = await readRecord(output);
  expect(record.methods.map((m) => m.id)).toEqual(expect.arrayContaining(['linear', 'auto']));
  expect(await readFile(join(output, 'study.yaml'), 'utf8')).toContain('protocol: head2toe');
  const again = JSON.parse((await ask()).stdout);
  expect(again.units.cached).toBe(again.units.total);
}, 240_000);

test('what does not fit is said after the result, in the document and on the page', async () => {
  const output = join(folder, 'in a hurry');
  const within = ['-o', output, '--preprocess', 'cifar', '--no-training', '--minutes', '0.01', '--quiet'];
  const told = await toehold('ask', model, data, ...within);
  expect(told.code).toBe(0);
  const lines = told.stderr.trim().split('\n');
  expect(lines.at(-2)).toMatch(/^not within 0.01 minutes: .*Head2Toe/);
  expect(lines.at(-1)).toMatch(/^scaled down: /);
  expect(lines.slice(0, -2).join('\n')).not.toMatch(/not within|scaled down/);
  const sentence = `N${lines.at(-2)?.slice(1)}.`;
  expect((await readRecord(output)).run.scaledDown[0]).toBe(sentence);
  const { leftOut } = JSON.parse((await toehold('ask', model, data, ...within, '--json')).stdout);
  expect(leftOut).toBe(lines.at(-2));
}, 240_000);

test('init writes a config that is not written over, unless it is one', async () => {
  const file = join(folder, 'mine.yaml');
  expect((await toehold('init', model, data, '-o', file)).code).toBe(0);
  expect((await toehold('init', model, data, '-o', file)).code).toBe(0);
  const said = await toehold('init', model, data, '-o', file, '--json');
  expect(JSON.parse(said.stdout)).toMatchObject({ output: file, config: { protocol: 'head2toe' } });
  const [modeline = ''] = (await readFile(file, 'utf8')).split('\n');
  const schema = /^# yaml-language-server: \$schema=(.*)$/.exec(modeline)?.[1] ?? '';
  expect(JSON.parse(await readFile(join(folder, schema), 'utf8'))).toEqual(
    JSON.parse(JSON.stringify(configJsonSchema())),
  );
  await writeFile(file, 'a: letter\n');
  const { code, stderr } = await toehold('init', model, data, '-o', file);
  expect([code, stderr]).toEqual([2, expect.stringContaining('was not written by toehold')]);
});
