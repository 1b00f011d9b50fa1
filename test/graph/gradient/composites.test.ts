import { describe, expect, test } from 'vitest';
import type { Composite } from '../../../src/graph/gradient/composites/composite.js';
import { composites, emitComposite } from '../../../src/graph/gradient/composites/index.js';
import { GraphBuilder } from '../../../src/graph/index.js';
import { Emitter } from '../../../src/ir/index.js';

const emitter = () => new Emitter(new GraphBuilder().build(), 'test', new Map());
const expand = () => ['y'];

describe('composites', () => {
  test('have names of their own', () => {
    expect(new Set(composites.map((c) => c.name)).size).toBe(composites.length);
  });

  test('do not compile without saying how they are lowered, and cannot be written unless they are listed', () => {
    // @ts-expect-error lower is missing
    const incomplete = { name: 'New', attributes: {}, expand } as const satisfies Composite;
    const unlisted = { ...incomplete, lower: 'expand' } as const satisfies Composite;
    // @ts-expect-error New is not in the list
    expect(emitComposite(emitter(), unlisted, ['x'], [2])).toBe('test.New');
  });

  test('carry attributes of the kinds that they declare', () => {
    const e = emitter();
    const slice = composites.find((c) => c.name === 'SliceGradient');
    if (!slice) throw new Error('there is no SliceGradient');
    emitComposite(e, slice, ['x'], [4], { axes: [0], starts: [1], steps: [2] });
    // @ts-expect-error a slice has no windows
    expect(() => emitComposite(e, slice, ['x'], [4], { pads: [1] })).toThrow(/no attribute 'pads'/);
    expect(Object.values(e.build().nodes[0]?.attributes ?? {}).map((a) => a.kind)).toEqual(['ints', 'ints', 'ints']);
    expect(e.dims('test.SliceGradient')).toEqual([4]);
  });
});
