/** --device with numbers: which jobs get which, and what is refused. */
import { expect, test } from 'vitest';
import { deviceOfJob } from '../../src/cli/jobs.js';
import type { EngineOptions } from '../../src/engine/index.js';
import { toehold } from '../support/cli.js';

test.each<[EngineOptions['device'], number, string[]]>([
  ['cuda:0,1', 2, ['cuda:0', 'cuda:1']],
  ['cuda:0,1', 1, ['cuda:0,1']],
  ['cuda:2,5,7', 2, ['cuda:2,7', 'cuda:5']],
  ['cuda:0,1', 4, ['cuda:0', 'cuda:1', 'cuda:0', 'cuda:1']],
  ['cuda:1', 2, ['cuda:1', 'cuda:1']],
  ['cpu', 2, ['cpu', 'cpu']],
])('%s for %i jobs', (name, jobs, expected) => {
  expect(Array.from({ length: jobs }, (_, i) => deviceOfJob(name, i, jobs))).toEqual(expected);
});

test.each([
  [['extract', 'm.onnx', 'd', '--device', 'cuda:0,0'], 'names cuda:0 twice'],
  [['extract', 'm.onnx', 'd', '--device', 'cudo:0'], 'Allowed choices are cpu'],
  [['train', 'm.onnx', 'd', '--device', 'cuda:0,1'], "toehold train uses one device, and 'cuda:0,1' are 2"],
])('%s is refused in one sentence', async (words, sentence) => {
  const { code, stderr } = await toehold(...words);
  expect([code, stderr.trim().split('\n').length, stderr]).toEqual([2, 1, expect.stringContaining(sentence)]);
});
