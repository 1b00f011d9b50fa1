/** What doctor says of the machine. */
import { totalmem } from 'node:os';
import { expect, test } from 'vitest';
import { describeProcessors } from '../../src/cli/doctor.js';
import { machineTopology, type Topology } from '../../src/engine/index.js';
import { toehold } from '../support/cli.js';

const node = (first: number) => ({ processors: [first, first + 1], cores: 1 });
test.each<[Topology, string]>([
  [{ processors: 2, cores: 2, nodes: [] }, '2 cores'],
  [{ processors: 4, cores: 2, nodes: [node(0), node(2)] }, '4 processors on 2 cores, 2 NUMA nodes'],
  [{ processors: 8, cores: 8, nodes: [node(0)], quota: 2.5 }, '8 cores, a quota of 2.5 processors'],
])('%j', (topology, sentence) => {
  expect(describeProcessors(topology)).toBe(sentence);
});

test('the last lines are the machine, and the streams that an extraction takes of it', async () => {
  const { code, stdout } = await toehold('doctor');
  expect(code).toBe(0);
  const [machine, streams] = stdout.trimEnd().split('\n').slice(-2);
  const gigabytes = (totalmem() / 2 ** 30).toFixed(0);
  expect(machine).toBe(
    `${describeProcessors(machineTopology())}, ${gigabytes} GB, ${process.platform} ${process.arch}`,
  );
  expect(streams).toMatch(/^extraction: \d+ streams? of one thread/);
  const { topology } = JSON.parse((await toehold('doctor', '--json')).stdout);
  expect(topology).toEqual(JSON.parse(JSON.stringify(machineTopology())));
});
