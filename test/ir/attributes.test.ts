import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { type AnyAttributes, attributeKinds, type Graph, GraphBuilder, int64 } from '../../src/ir/index.js';

type Kinds = Record<string, Record<string, string>>;
const standard = JSON.parse(readFileSync(new URL('../fixtures/ir/attributes.json', import.meta.url), 'utf8')) as Kinds;

/** Kinds of the attributes that a builder writes. */
function written(op: string, attributes: AnyAttributes): Record<string, string> {
  const b = new GraphBuilder();
  b.node(op, ['x'], ['y'], attributes);
  const node = b.build().nodes[0];
  return Object.fromEntries(Object.entries(node?.attributes ?? {}).map(([name, a]) => [name, a.kind]));
}

describe('the table of attributes', () => {
  test.each(Object.entries(attributeKinds['']))("%s has the standard's kinds", (op, kinds) => {
    expect(standard[op]).toMatchObject(kinds);
  });

  test('is sorted, so that a row is found', () => {
    const lower = Object.keys(attributeKinds['']).map((op) => op.toLowerCase());
    expect(lower).toEqual(lower.toSorted());
  });
});

describe('attributes', () => {
  test('have the kind of their operator, whatever the number looks like', () => {
    expect(written('Softmax', { axis: 1 })).toEqual({ axis: 'int' });
    expect(written('Gemm', { alpha: 1, transB: 1, beta: undefined })).toEqual({ alpha: 'float', transB: 'int' });
    expect(written('Resize', { mode: 'linear', axes: [2, 3], cubic_coeff_a: -1 })).toEqual({
      mode: 'string',
      axes: 'ints',
      cubic_coeff_a: 'float',
    });
    expect(written('ConstantOfShape', { value: int64([1]) })).toEqual({ value: 'tensor' });
    expect(written('If', { then_branch: new GraphBuilder().build() as Graph })).toEqual({ then_branch: 'graph' });
  });

  test('of another domain have the kinds of that domain', () => {
    const b = new GraphBuilder();
    b.opIn('com.microsoft.nchwc', 'Upsample', ['x'], { scales: [1, 1, 2, 2] });
    b.opIn('com.microsoft.nchwc', 'Conv', ['x', 'w'], { activation: 'Clip', activation_params: [0, 6] });
    expect(b.build().nodes.map((n) => Object.values(n.attributes).map((a) => a.kind))).toEqual([
      ['ints'],
      ['string', 'floats'],
    ]);
  });

  test('that no row names bring their kind', () => {
    expect(written('Clip', { min: { kind: 'float', value: 0 } })).toEqual({ min: 'float' });
    expect(() => written('Clip', { min: 0 })).toThrow("operator Clip has no attribute 'min' in ir/attributes.ts");
  });

  test.each<[string, AnyAttributes]>([
    ['Softmax', { axis: 0.5 }],
    ['Softmax', { axis: [1] }],
    ['Transpose', { perm: 1 }],
    ['Pad', { mode: 1 }],
    ['Gemm', { alpha: '1' }],
  ])('of the wrong kind are refused: %s %j', (op, attributes) => {
    expect(() => written(op, attributes)).toThrow(/is of kind/);
  });
});
