/** Names of methods become names of files: whatever they are, the files stay in the folder of the run. */
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Random } from '../../src/base/index.js';
import { weightsFile, writeProbeRun } from '../../src/probe/files.js';
import { type ProbeRun, type ProbeTask, probeRecord, runProbes, selectMethods } from '../../src/probe/index.js';
import { FeatureMatrix } from '../../src/solver/index.js';
import { testEngine } from '../support/run.js';

let folder = '';
let run: ProbeRun;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'toehold-probe-files-'));
  const random = new Random(0);
  const labels = Int32Array.from({ length: 24 }, (_, i) => i % 2);
  const data = Float32Array.from({ length: 4 * 24 }, (_, k) => random.normal() + (labels[k % 24] ?? 0));
  const task: ProbeTask = {
    train: {
      matrix: new FeatureMatrix([{ name: 'f', features: 4, data }], 24),
      labels,
      files: [...labels].map(String),
    },
    classes: ['a', 'b'],
    taps: [{ alias: 'f', name: 'f', features: 4 }],
    source: { data: 'synthetic', description: 'synthetic' },
  };
  run = await runProbes(await testEngine(), task, selectMethods('linear'), { folds: 2, l2: [1e-2] });
});
afterAll(() => rm(folder, { recursive: true }));

/** The run, its method under another name. */
const under = (id: string): ProbeRun => ({
  ...run,
  results: run.results.map((r) => ({ ...r, method: { ...r.method, card: { ...r.method.card, id } } })),
});

async function write(probes: ProbeRun, directory: string): Promise<void> {
  const record = probeRecord(await testEngine(), run, { targets: undefined, split: '', warnings: [] }, 'a test');
  await writeProbeRun(probes, record, undefined, directory);
}

describe('the weights of a method', () => {
  test('lie under its name when that is ordinary', () => {
    expect(weightsFile('head2toe-faithful')).toBe('weights/head2toe-faithful.npz');
  });

  test.each(['../../evil', '/tmp/toehold-evil', '..', ''])('called %j stay in the folder', async (name) => {
    const directory = join(folder, 'deep', 'run');
    await write(under(name), directory);
    expect(await readdir(folder)).toEqual(['deep']);
    expect(await readdir(join(folder, 'deep'))).toEqual(['run']);
    expect(await readdir(join(directory, 'weights'))).toHaveLength(1);
    expect(existsSync('/tmp/toehold-evil.npz')).toBe(false);
  });

  test('are not written through a link that leads out of the folder', async () => {
    const directory = join(folder, 'deep', 'linked');
    await mkdir(directory, { recursive: true });
    await mkdir(join(folder, 'deep', 'elsewhere'));
    await symlink('../elsewhere', join(directory, 'weights'));
    await write(run, directory).catch(() => undefined);
    expect(await readdir(join(folder, 'deep', 'elsewhere'))).toEqual([]);
  });
});
