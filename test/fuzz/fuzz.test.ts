/** Damaged files are refused in a sentence: no fault, no hang, no death. Longer: npm run fuzz -- 200000 */
import { writeFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { fuzz } from './fuzz.js';
import { createCorpus } from './targets.js';

test('undamaged, every one of them is taken', { timeout: 60_000 }, async () => {
  const corpus = await createCorpus();
  for (const { path, good, read } of corpus.targets) {
    await writeFile(path, good);
    await read();
  }
  await corpus.dispose();
});

test('2,000 damaged inputs', { timeout: 600_000 }, async () => {
  const { findings, tallies } = await fuzz({ inputs: 2000, seed: '1' });
  expect(findings).toEqual([]);
  expect(tallies.reduce((sum, t) => sum + t.inputs, 0)).toBe(2000);
  // Neither all of them nor none are worth nothing.
  expect(tallies.reduce((sum, t) => sum + t.sentences, 0)).toBeGreaterThan(500);
  expect(tallies.reduce((sum, t) => sum + t.taken, 0)).toBeGreaterThan(100);
});
