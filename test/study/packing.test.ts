import { describe, expect, test } from 'vitest';
import { needsOf, type Packing, packed, ridden } from '../../src/study/packing.js';
import { PlanBuilder, type Unit } from '../../src/study/plan.js';
import { fakeKind } from './support/fake.js';

const kind = fakeKind('train');

/** Units by name: seconds, and the names of those that they need. */
function groupsOf(rows: Readonly<Record<string, readonly [seconds: number, ...needs: string[]]>>, packing: Packing) {
  const builder = new PlanBuilder();
  const units = new Map<string, Unit>();
  for (const [name, [seconds, ...needs]] of Object.entries(rows)) {
    const of = needs.map((need) => units.get(need) as Unit);
    units.set(name, builder.add(kind, { label: name, inputs: { task: units.size }, seconds, needs: of }));
  }
  // A name that begins with g asks for another machine.
  const classOf = ({ label }: Unit) => String(label.startsWith('g'));
  return packed(ridden(builder.build().units, classOf), packing);
}

const names = (...of: Parameters<typeof groupsOf>) =>
  groupsOf(...of)
    .map(({ units }) =>
      units
        .map(({ label }) => label)
        .sort()
        .join(' '),
    )
    .sort();

describe('what hangs together', () => {
  test('is one group, where it takes no longer than the limit', () => {
    const rows = { a: [2], b: [3, 'a'], c: [2, 'a', 'b'], d: [5], e: [2, 'd'] } as const;
    expect(names(rows, { chain: 7, share: 1 })).toEqual(['a b c', 'd e']);
    expect(names(rows, { chain: 0, share: 1 })).toEqual(['a', 'b', 'c', 'd', 'e']);
  });

  test('is cut below what all of it needs, and above what needs all of it', () => {
    const rows = { base: [2], a: [4, 'base'], b: [4, 'a'], c: [4, 'base'], d: [4, 'c'], end: [2, 'b', 'd'] } as const;
    expect(names(rows, { chain: 8, share: 1 })).toEqual(['a b', 'base', 'c d', 'end']);
  });

  test('is cut at long units, and at those that ask for another machine, and never makes a circle', () => {
    // All but the long one hang together, and some of them come before it, others after it.
    const around = { a: [2], long: [90, 'a'], b: [2, 'long', 'a'], c: [2, 'b'] } as const;
    expect(names(around, { chain: 10, share: 1 })).toEqual(['a', 'b c', 'long']);
    const classes = { a: [2], g: [2, 'a'], b: [2, 'a', 'g'], c: [2, 'b'] } as const;
    expect(names(classes, { chain: 10, share: 1 })).toEqual(['a', 'b c', 'g']);
    // Two that would each be in order, and wait for each other.
    const crossed = { a: [2], c: [2], l: [90, 'a'], m: [90, 'c'], b: [2, 'l', 'c'], d: [2, 'm', 'a'] } as const;
    const groups = groupsOf(crossed, { chain: 10, share: 10 });
    const needs = needsOf(groups);
    const isAbove = (of: (typeof groups)[number], seen = new Set(needs.get(of))): Set<unknown> => {
      for (const group of seen) for (const above of needs.get(group) ?? []) seen.add(above);
      return seen;
    };
    for (const group of groups) expect(isAbove(group).has(group)).toBe(false);
  });
});

test('what needs the same is put together up to the limit, and no further', () => {
  const rows = { base: [50], a: [6, 'base'], b: [6, 'base'], c: [6, 'base'], d: [20, 'base'] } as const;
  expect(names(rows, { chain: 0, share: 12 })).toHaveLength(4);
  // Two bins would hold eighteen seconds, but no two of these fit into ten.
  expect(names(rows, { chain: 0, share: 10 })).toEqual(['a', 'b', 'base', 'c', 'd']);
});
