/** What is read of machines that are not here: folders with the files that Linux has of them. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { machineTopology, readTopology } from '../../src/engine/index.js';
import { temporaryFolder } from '../support/tiny.js';

type Files = Readonly<Record<string, string>>;

function machine(files: Files): string {
  const root = temporaryFolder();
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), `${text}\n`);
  }
  return root;
}

const cpus = 'sys/devices/system/cpu';
/** Processors 0 to n - 1; of each the list of its core's. */
const processors = (n: number, siblings: (i: number) => string): Files => ({
  [`${cpus}/online`]: `0-${n - 1}`,
  ...Object.fromEntries(
    Array.from({ length: n }, (_, i) => [`${cpus}/cpu${i}/topology/thread_siblings_list`, siblings(i)]),
  ),
});
const nodes = (...lists: string[]): Files =>
  Object.fromEntries(lists.map((list, i) => [`sys/devices/system/node/node${i}/cpulist`, list]));
const may = (list: string): Files => ({
  'proc/self/status': `Name:\tnode\nCpus_allowed:\tff\nCpus_allowed_list:\t${list}`,
});

const twoSockets = { ...processors(128, (i) => `${i % 64},${(i % 64) + 64}`), ...nodes('0-31,64-95', '32-63,96-127') };
const alone = (i: number) => `${i}`;

test.each<[string, Files, object]>([
  ['two sockets of 32 cores with two threads each', twoSockets, { processors: 128, cores: 64, each: [32, 32] }],
  [
    'the same where a process may use a part of one socket, and processors that are not there',
    { ...twoSockets, ...may('0-15,64-71,500-600') },
    { processors: 24, cores: 16, each: [16] },
  ],
  [
    '128 cores in four nodes, and a fifth with memory alone',
    { ...processors(128, alone), ...nodes('0-31', '32-63', '64-95', '96-127', '') },
    { processors: 128, cores: 128, each: [32, 32, 32, 32] },
  ],
  ['an Arm machine', { ...processors(80, alone), ...nodes('0-79') }, { processors: 80, cores: 80, each: [80] }],
  [
    'a container with 6.5 of 64 processors, in its own view of the groups',
    {
      ...processors(64, alone),
      ...nodes('0-31', '32-63'),
      'proc/self/cgroup': '0::/',
      'sys/fs/cgroup/cpu.max': '650000 100000',
    },
    { processors: 6, cores: 6, each: [32, 32], quota: 6.5 },
  ],
  [
    'a group within one with less',
    {
      ...processors(64, alone),
      'proc/self/cgroup': '0::/a/b',
      'sys/fs/cgroup/a/b/cpu.max': 'max 100000',
      'sys/fs/cgroup/a/cpu.max': '400000 100000',
    },
    { processors: 4, cores: 4, each: [], quota: 4 },
  ],
  [
    'the older groups',
    {
      ...processors(64, alone),
      'proc/self/cgroup': '5:memory:/x\n3:cpu,cpuacct:/docker/abc\n0::/',
      'sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us': '50000',
      'sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us': '100000',
    },
    { processors: 1, cores: 1, each: [], quota: 0.5 },
  ],
  [
    'older groups without a limit',
    {
      ...processors(2, alone),
      'proc/self/cgroup': '1:cpu:/rest',
      'sys/fs/cgroup/cpu/rest/cpu.cfs_quota_us': '-1',
      'sys/fs/cgroup/cpu/rest/cpu.cfs_period_us': '100000',
    },
    { processors: 2, cores: 2, each: [] },
  ],
  ['a system that tells nothing', {}, { processors: 10, cores: 10, each: [] }],
])('%s', (_, files, expected) => {
  const { nodes, ...rest } = readTopology(machine(files), 10);
  const { quota, ...numbers } = rest;
  const found = { ...numbers, each: nodes.map(({ cores }) => cores), ...(quota !== undefined && { quota }) };
  expect(found).toEqual(expected);
});

test('this machine has no more than the system gives its processes', () => {
  const { processors, cores } = machineTopology();
  expect(processors).toBeLessThanOrEqual(availableParallelism());
  expect(cores).toBeGreaterThan(0);
  expect(cores).toBeLessThanOrEqual(processors);
});
