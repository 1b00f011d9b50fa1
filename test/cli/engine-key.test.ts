/** `engine` and `device` of a config, and what beats them. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { toehold } from '../support/cli.js';
import { temporaryFolder, writeTinyModel } from '../support/tiny.js';

const folder = temporaryFolder();
mkdirSync(join(folder, 'images'));
await writeTinyModel(folder);
let files = 0;
/** What a dry run with these lines in its config and these flags says. */
async function run(lines: string, ...flags: string[]) {
  const config = join(folder, `${files++}.yaml`);
  const study = 'protocol: head2toe\nbackbones: { net: { model: tiny.onnx } }\ntasks: { t: { data: images } }\n';
  writeFileSync(config, `${study}${lines}\n`);
  const { code, stderr } = await toehold('run', config, '-o', join(folder, 'run'), '--dry-run', ...flags);
  return { code, stderr };
}

test('the config says which engine and device, the command line has the last word', async () => {
  // A device that the engine lacks shows which engine was asked.
  const keys = 'engine: tfjs\ndevice: dml';
  expect(await run(keys)).toMatchObject({
    code: 2,
    stderr: expect.stringContaining("engine 'tfjs' has no device 'dml'"),
  });
  expect((await run(keys, '--engine', 'onnxruntime')).stderr).not.toContain("engine 'tfjs'");
  expect((await run(keys, '--device', 'webgpu')).stderr).toContain("engine 'tfjs' has no device 'webgpu'");
  expect((await run('device: wasm')).stderr).toContain("engine 'onnxruntime' has no device 'wasm'");
});

test('an engine that does not exist is a mistake of the config', async () => {
  const { code, stderr } = await run('engine: torch');
  expect(code).toBe(2);
  expect(stderr).toMatch(/engine/);
});

test('`device` may name GPUs by number; what is no device, or named twice, is one sentence with its line', async () => {
  const line = '.yaml:4: device ';
  expect((await run('device: gpu')).stderr).toContain(line);
  expect((await run('device: "cuda:0,x"')).stderr).toContain('it must be a device, for example cpu, cuda or cuda:0,1');
  const twice = await run('device: "cuda:0,0"');
  expect([twice.code, twice.stderr]).toEqual([2, expect.stringContaining('names cuda:0 twice')]);
  // Read as several GPUs, which are looked for, and the last word is the command line's.
  const both = await run('device: "cuda:0,1"');
  expect(both.stderr).not.toContain('must be a device');
  const other = await run('device: "cuda:0,1"', '--engine', 'tfjs', '--device', 'webgpu');
  expect(other.stderr).toContain("engine 'tfjs' has no device 'webgpu'");
});
