import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { UserError, WorkError } from '../../../src/base/index.js';
import { QueueFull, slurm } from '../../../src/study/cluster/index.js';
import { writeFakeSlurm } from '../../support/fake-slurm.js';

const path = process.env.PATH ?? '';
let bin: string;
beforeAll(async () => {
  bin = await mkdtemp(join(tmpdir(), 'fake slurm-'));
  await writeFakeSlurm(bin);
  process.env.PATH = `${bin}${delimiter}${path}`;
});
afterAll(async () => {
  process.env.PATH = path;
  await rm(bin, { recursive: true, force: true });
});
const failing = (text: string) => writeFile(join(bin, 'sbatch.fails'), text);

describe('the commands of Slurm', () => {
  test('are given words as they are, and the number of a job is read without its cluster', async () => {
    const words = ['--account=a; touch x', '--chdir=/a "b" $(c)', 'job.sh'];
    expect(await slurm.submit(words)).toBe('1');
    expect(await readFile(join(bin, 'sbatch.asked.1'), 'utf8')).toBe(`--parsable\n${words.join('\n')}\n`);
  });

  test('are tried again where the controller could not be reached, and not where it refused', async () => {
    await failing('sbatch: error: Unable to contact slurm controller (connect failure)\n');
    expect(await slurm.submit([])).toBe('3');
    await failing('sbatch: error: Batch job submission failed: Invalid account\n');
    await expect(slurm.submit([])).rejects.toThrow(
      new WorkError('sbatch: sbatch: error: Batch job submission failed: Invalid account'),
    );
    await failing(
      'sbatch: error: Job violates accounting/QOS policy (job submit limit, user size and/or time limits)\n',
    );
    await expect(slurm.submit([])).rejects.toThrow(QueueFull);
  });

  test('say what limits there are and what is in the queue', async () => {
    expect(await slurm.limits(undefined)).toEqual({ maxJobs: 10_000, maxArray: 1001, cores: 512, byNumber: true });
    await writeFile(
      join(bin, 'squeue.says'),
      '1_0|toehold-a.000001|RUNNING|node7\n2|toehold-a.last|PENDING|(Dependency)\n3|other|RUNNING|node1\n',
    );
    expect(await slurm.queued('toehold-a.')).toEqual([
      { id: '1_0', name: 'toehold-a.000001', state: 'RUNNING', where: 'node7' },
      { id: '2', name: 'toehold-a.last', state: 'PENDING', where: 'Dependency' },
    ]);
  });

  test('that are not there are a mistake of the request', async () => {
    process.env.PATH = '/nowhere';
    try {
      await expect(slurm.submit([])).rejects.toThrow(UserError);
      await expect(slurm.submit([])).rejects.toThrow('there is no sbatch here');
    } finally {
      process.env.PATH = `${bin}${delimiter}${path}`;
    }
  });
});
