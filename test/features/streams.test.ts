/** How many streams an extraction has, on machines that are not here. */
import { describe, expect, test } from 'vitest';
import type { Topology } from '../../src/engine/index.js';
import { calibrate } from '../../src/features/calibrate.js';
import { type StreamNeeds, streamsOf } from '../../src/features/streams.js';

const range = (from: number, count: number) => Array.from({ length: count }, (_, i) => from + i);
const machines = {
  two: { processors: 2, cores: 2, nodes: [{ processors: [0, 1], cores: 2 }] },
  sockets: {
    processors: 128,
    cores: 64,
    nodes: [0, 32].map((first) => ({ processors: [...range(first, 32), ...range(first + 64, 32)], cores: 32 })),
  },
  four: {
    processors: 128,
    cores: 128,
    nodes: [0, 32, 64, 96].map((first) => ({ processors: range(first, 32), cores: 32 })),
  },
  container: {
    processors: 6,
    cores: 6,
    quota: 6,
    nodes: [0, 32].map((first) => ({ processors: range(first, 32), cores: 32 })),
  },
  told: { processors: 10, cores: 10, nodes: [] },
} satisfies Record<string, Topology>;

const gigabyte = 2 ** 30;
const long = { bytes: 0.2 * gigabyte, memory: 1000 * gigabyte, batches: 1e6 };

test.each<[string, Topology, StreamNeeds, number[], number, number]>([
  ['two cores have nothing to choose', machines.two, { ...long, budget: 2 }, [2], 1, 0],
  ['cores first, then their threads, then fewer', machines.sockets, { ...long, budget: 128 }, [64, 128, 32], 1, 128],
  ['no more than are asked for', machines.sockets, { ...long, budget: 64 }, [64, 32], 1, 64],
  ['a share of a machine is kept to no node', machines.sockets, { ...long, budget: 16 }, [16], 1, 0],
  ['short passes try nothing', machines.four, { ...long, budget: 128, batches: 1000 }, [128], 1, 128],
  ['memory decides', machines.four, { ...long, budget: 128, memory: 2 * gigabyte }, [10], 1, 10],
  ['one there is always', machines.four, { ...long, budget: 128, memory: 1 }, [1], 1, 1],
  ['large networks have four threads', machines.four, { ...long, budget: 128, bytes: 2 * gigabyte }, [32, 16], 4, 32],
  ['on two cores too: the bytes are the same', machines.two, { ...long, budget: 2, bytes: 2 * gigabyte }, [1], 4, 0],
  ['a container goes where it is put', machines.container, { ...long, budget: 6 }, [6, 3], 1, 0],
  ['a system that tells nothing', machines.told, { ...long, budget: 10 }, [10, 5], 1, 0],
])('%s', (_, topology, needs, choices, threads, kept) => {
  const streams = streamsOf(topology, needs);
  expect(streams).toMatchObject({ choices, threads });
  expect(streams.processors).toHaveLength(kept);
});

test('streams are dealt evenly to nodes, however many of them are kept', () => {
  const { processors } = streamsOf(machines.four, { ...long, budget: 128 });
  for (const kept of [4, 64, 128]) {
    const each = machines.four.nodes.map(
      (node) => processors.slice(0, kept).filter((p) => p === node.processors).length,
    );
    expect(each).toEqual([kept / 4, kept / 4, kept / 4, kept / 4]);
  }
});

describe('calibration', () => {
  /** A machine on which a round of so many streams takes so long. */
  const fake = (seconds: (streams: number, nth: number) => number) => {
    let now = 0;
    const ran: number[] = [];
    const round = async (streams: number) => {
      now += seconds(streams, ran.length);
      ran.push(streams);
    };
    return { ran, clock: () => now, round };
  };

  test('takes what is fastest, having tried all in turn for two seconds', async () => {
    const { ran, ...machine } = fake((streams) => (streams === 8 ? 0.2 : 0.07));
    expect((await calibrate({ choices: [8, 4], ...machine })).streams).toBe(4);
    expect(ran[0]).toBe(8);
    expect(ran.slice(1)).toEqual(ran.slice(1).map((_, i) => (i % 2 === 0 ? 8 : 4)));
    expect(machine.clock()).toBeLessThan(2.6);
  });

  test('is not misled by other work that meets some rounds', async () => {
    const { ran: _, ...machine } = fake((streams, nth) => (streams === 8 ? 0.1 : 0.08) + (nth % 3 === 1 ? 5 : 0));
    expect((await calibrate({ choices: [8, 4], ...machine, seconds: 40 })).streams).toBe(8);
  });

  test('stays with the first where others are level', async () => {
    const { ran: _, ...machine } = fake((streams) => (streams === 8 ? 0.1 : 0.098 * (streams / 8)));
    expect((await calibrate({ choices: [8, 4, 2], ...machine })).streams).toBe(8);
  });

  test('tries each twice, however long that takes, and nothing where there is no choice', async () => {
    const slow = fake(() => 100);
    await calibrate({ choices: [8, 4], ...slow });
    expect(slow.ran).toEqual([8, 8, 4, 8, 4]);
    const single = fake(() => 1);
    expect(await calibrate({ choices: [2], ...single })).toEqual({ streams: 2, tried: [] });
    expect(single.ran).toEqual([]);
  });
});
