import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { probeDefaults } from '../../src/probe/index.js';
import { configJsonSchema, loadConfig, parseConfig } from '../../src/study/index.js';

const folder = mkdtempSync(join(tmpdir(), 'toehold-config-'));
writeFileSync(join(folder, 'small.onnx'), '');
writeFileSync(join(folder, 'other.onnx'), '');
writeFileSync(join(folder, 'shapes.csv'), '');
afterAll(() => rmSync(folder, { recursive: true }));

const good = `# a study
protocol: head2toe
backbones:
  small: {model: small.onnx}
  other: {model: other.onnx}
tasks:
  shapes:
    data: shapes.csv
`;
const file = join(folder, 'study.yaml');
const parse = (text: string) => parseConfig(text, file);
/** The message of the error that a config gives, without its folder. */
function complaint(text: string): string {
  try {
    parse(text);
  } catch (error) {
    return (error as Error).message.replaceAll(`${folder}/`, '');
  }
  throw new Error('no error');
}

describe('a config', () => {
  test('takes its budgets from the protocol, lite or full, and its own figures before these', () => {
    const full = parse(good);
    expect(full.budgets.probe.folds).toBe(5);
    expect(full.backbone).toBe('small');
    expect(full.scaledDown).toEqual([]);
    expect(full.path('small.onnx')).toBe(join(folder, 'small.onnx'));
    const lite = parse(`${good}lite: true\nprobe: {folds: 4}\n`);
    expect(lite.budgets.probe.folds).toBe(4);
    expect(lite.budgets.probe.lambdas).toBeLessThan(full.budgets.probe.lambdas);
    expect(parseConfig(good, file, { lite: true }).config.lite).toBe(true);
  });

  test('says what its lite form gives up, by comparing figures', () => {
    const { scaledDown } = parse(`${good}lite: true\nprobe: {folds: 4}\ntest: 300\n`);
    expect(scaledDown).toContain('4 cross-validation folds instead of 5.');
    expect(scaledDown).toContain('At most 300 test images per task.');
    expect(scaledDown.join(' ')).toMatch(/Without .*head2toe-ft/);
  });

  test('takes the options of the probe command, which are its defaults', () => {
    const { l2, choose, keepRule, classWeight, repetitions, leaveOut } = parse(good).budgets.probe;
    const found = { l2, choose, keepRule, classWeight, repetitions, leaveOut };
    expect(probeDefaults).toMatchObject(found);
    const given =
      'probe: {choose: accuracy, keepRule: max, classWeight: balanced, l2: [0.1], repetitions: 0, leaveOut: 2}';
    expect(parse(`${good}${given}\n`).budgets.probe).toMatchObject({
      choose: 'accuracy',
      keepRule: 'max',
      classWeight: 'balanced',
      l2: [0.1],
      repetitions: 0,
      leaveOut: 2,
    });
    expect(complaint(`${good}probe: {keepRule: most}\n`)).toMatch(/probe\.keepRule/);
  });

  test('runs the control where a second network is named', () => {
    expect(parse(`${good}control: other\n`).budgets.methods).toContain('control');
    expect(parse(good).budgets.methods).not.toContain('control');
  });
});

describe('a bad config fails before any work, with the line', () => {
  test.each([
    [
      'unknown key',
      `${good}    grupFrom: x\n`,
      "study.yaml:9: unknown key 'grupFrom' in tasks.shapes; did you mean 'groupFrom'?",
    ],
    [
      'unknown key, nothing near',
      `${good}colour: red\n`,
      "study.yaml:9: unknown key 'colour'; known: title, protocol, lite, backbones, network, splits, copy, backbone, control, tasks, methods, seeds, input, labels, test, perClass, sourceAccuracy, where, margin, engine, device, extract, probe, train, slurm",
    ],
    ['wrong type', `${good}seeds: two\n`, "study.yaml:9: seeds must be a list, not 'two'"],
    ['wrong number', `${good}seeds: [0, 1.5]\n`, 'study.yaml:9: seeds[1] must be a whole number, not 1.5'],
    ['too few', `${good}probe:\n  folds: 1\n`, 'study.yaml:10: probe.folds is 1; it must be at least 2'],
    [
      'unknown method',
      `${good}methods:\n  - linear\n  - hed2toe\n`,
      "study.yaml:11: methods[1] is 'hed2toe'; did you mean 'head2toe'?",
    ],
    [
      'unknown protocol',
      good.replace('head2toe', 'hed2toe'),
      "study.yaml:2: protocol is 'hed2toe'; did you mean 'head2toe'?",
    ],
    [
      'label budget',
      `${good}labels: some\n`,
      "study.yaml:9: labels is 'some'; it takes 'vtab1k' or 'all' or a number or a block of keys",
    ],
    ['missing file', good.replace('small.onnx', 'smal.onnx'), 'study.yaml:4: no such file: smal.onnx'],
    ['missing data', good.replace('shapes.csv', 'shape.csv'), 'study.yaml:8: no such folder or file: shape.csv'],
    ['missing key', good.replace('data: shapes.csv', 'test: 3'), 'study.yaml:7: tasks.shapes.data is missing'],
    [
      'method without its second backbone',
      `${good}methods: [linear, control]\n`,
      "study.yaml:9: the method 'control' needs a second backbone: add one to `backbones` and name it with `control:`",
    ],
    ['unknown backbone', `${good}control: othr\n`, "study.yaml:9: there is no backbone 'othr'; did you mean 'other'?"],
    [
      'control of itself',
      `${good}control: small\n`,
      "study.yaml:9: the control must be another network than the backbone 'small'",
    ],
    ['no YAML', 'protocol: [head2toe\n', /^study\.yaml:\d+: this is not YAML: /],
    [
      'the same key twice',
      `${good}seeds: [1]\nseeds: [2]\n`,
      'study.yaml:10: this is not YAML: Map keys must be unique',
    ],
    ['empty', '', /^study\.yaml: protocol is missing; one of head2toe, cs231n, yosinski, kornblith, compare\n/],
  ])('%s', (_, text, expected) => {
    expect(complaint(text)).toEqual(expected instanceof RegExp ? expect.stringMatching(expected) : expected);
  });

  test('every mistake is listed, one line each', () => {
    expect(complaint(`${good}seed: 1\nmethods: linear\n`).split('\n')).toEqual([
      "study.yaml:10: methods must be a list, not 'linear'",
      "study.yaml:9: unknown key 'seed'; did you mean 'seeds'?",
    ]);
  });

  test('a file that is not there', async () => {
    await expect(loadConfig(join(folder, 'none.yaml'))).rejects.toThrow(/no such file/);
  });
});

test('the JSON Schema documents every key', () => {
  const schema = configJsonSchema() as { properties: Record<string, { description?: string }> };
  for (const [key, value] of Object.entries(schema.properties)) {
    expect([key, value.description ?? 'anyOf' in value]).not.toEqual([key, false]);
  }
});
