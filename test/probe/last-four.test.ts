/** Which taps count as the last four blocks. */
import { expect, test } from 'vitest';
import { runProbes, selectMethods } from '../../src/probe/index.js';
import { lastBlocks } from '../../src/probe/methods/last-four.js';
import { score } from '../../src/record/index.js';
import { testEngine } from '../support/run.js';
import { makeTask, targets } from './support/synthetic.js';

const taps = (...aliases: string[]) => aliases.map((alias) => ({ alias, name: alias, features: 2 }));

test('the outputs of the last four blocks, whatever lies between them; never the logits', () => {
  const blocks = [1, 2, 3, 4, 5].flatMap((b) => [`block0${b}.mlp`, `block0${b}.out`]);
  const found = taps(...blocks, 'features', 'logits');
  expect(lastBlocks(found).map((t) => found[t]?.alias)).toEqual([2, 3, 4, 5].map((b) => `block0${b}.out`));
});

test('the last taps where blocks have no known end', () => {
  const found = taps('s1.b1.act1', 's1.b2.act1', 's2.b1.act1', 's2.b2.act1', 'features', 'logits');
  expect(lastBlocks(found).map((t) => found[t]?.alias)).toEqual(['s1.b2.act1', 's2.b1.act1', 's2.b2.act1', 'features']);
  expect(lastBlocks(taps('features'))).toEqual([0]);
});

test('it reads them alone, and says which', async () => {
  const engine = await testEngine();
  const { results } = await runProbes(engine, makeTask(), selectMethods('last-four'), { folds: 3, l2: [0.1, 0.001] });
  const [found] = results;
  expect(found?.fit.notes[0]).toBe('reads s1.b0.act1, s1.b1.act1, features');
  expect(found?.predictions && score(found.predictions, targets).accuracy).toBeGreaterThan(0.8);
});
