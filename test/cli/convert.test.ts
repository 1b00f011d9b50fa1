/** toehold convert, and model.json wherever a network is asked for. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { readModelFile, readNetwork } from '../../src/graph/index.js';
import { toehold } from '../support/cli.js';
import { testEngine } from '../support/run.js';
import { architectures, build, save } from '../support/tfjs-models.js';
import { temporaryFolder } from '../support/tiny.js';

const folder = temporaryFolder();
const model = build(architectures.residual, 'convert').then((m) => save(m, join(folder, 'resnet')));

test('the ONNX file is the network that is read from model.json, node by node', async () => {
  const file = join(folder, 'out.onnx');
  const { code, stdout } = await toehold('convert', await model, '-o', file, '--json');
  expect(code).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({ file, inputs: [{ name: 'image', shape: ['N', 3, 18, 18] }] });
  const [converted, read] = [
    await readNetwork(file, await testEngine()),
    await readNetwork(await model, await testEngine()),
  ];
  const written = (graph: typeof read) => graph.nodes.map(({ op, inputs, outputs }) => ({ op, inputs, outputs }));
  expect(written(converted)).toEqual(written(read));
  expect([...converted.constants]).toEqual([...read.constants]);
  // Its own file it writes again; anybody else's it leaves.
  expect((await toehold('convert', await model, '-o', file)).code).toBe(0);
  const others = join(folder, 'resnet', 'model.json');
  const before = readFileSync(others);
  expect((await toehold('convert', await model, '-o', others)).code).toBe(2);
  expect(readFileSync(others)).toEqual(before);
});

test('ONNX needs no conversion to ONNX', async () => {
  const { code, stderr } = await toehold('convert', 'some.onnx', '-o', join(folder, 'never.onnx'));
  expect(code).toBe(2);
  expect(stderr).toMatch(/ONNX files need no conversion/);
  expect(existsSync(join(folder, 'never.onnx'))).toBe(false);
});

test('and back: a network as model.json, for one image', async () => {
  const file = join(folder, 'back', 'model.json');
  const { code, stdout } = await toehold('convert', await model, '-o', file, '--json');
  expect(code).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({ file, inputs: [{ shape: [1, 18, 18, 3] }] });
  expect((await readNetwork(file, await testEngine())).inputs[0]?.shape).toEqual(['N', 3, 18, 18]);
  // Its own file it writes again.
  expect((await toehold('convert', await model, '-o', file)).code).toBe(0);
});

test('taps of model.json, with either engine', async () => {
  const taps = async (...flags: string[]) => {
    const { code, stdout } = await toehold('taps', await model, '--json', ...flags);
    expect(code).toBe(0);
    return JSON.parse(stdout);
  };
  const found = await taps();
  expect(found.taps.map((t: { name: string }) => t.name)).toEqual(
    expect.arrayContaining(['stem_relu', 'b1_out', 'fc']),
  );
  expect(await taps('--engine', 'tfjs', '--device', 'wasm')).toEqual(found);
});

test('what was converted is an ONNX file with its own names', async () => {
  const graph = await readModelFile(join(folder, 'out.onnx'));
  expect(graph.nodes.flatMap((n) => n.outputs)).toContain('b0_add');
});
