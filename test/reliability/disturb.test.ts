/** A command that was killed, or that met a full disk or a cut image, ends as if undisturbed when it is repeated. More: npm run reliability */
import { expect, test } from 'vitest';
import { commandLine } from '../support/cli.js';
import { disturb } from './disturb.js';

test.skipIf(process.platform === 'win32')('extract', { timeout: 600_000 }, async () => {
  const disturbances = ['kill', 'kill of the parent', 'full disk', 'cut image'] as const;
  const tallies = await disturb({ seed: '1', moments: 1, commandLine, disturbances, only: 'extract' });
  expect(tallies).toEqual(
    disturbances.map((disturbance) => expect.objectContaining({ disturbance, identical: 1, faults: [] })),
  );
});
