/** Checks gradients against central differences along random directions. */
import { expect } from 'vitest';
import { Random } from '../../src/base/index.js';
import { gradient, gradientName } from '../../src/graph/gradient/index.js';
import {
  type DataType,
  float32,
  type Graph,
  GraphBuilder,
  type NumericArray,
  observe,
  sizeOf,
  type Tensor,
  toNumbers,
} from '../../src/graph/index.js';
import { difference, runOnce, testEngine } from './run.js';

export interface GradientCase {
  /** Shapes of the differentiated inputs a, b, c ... */
  dims: readonly (readonly number[])[];
  /** Writes the operators under test; returns the value or values to differentiate. */
  write: (b: GraphBuilder, inputs: string[]) => string | string[];
  type?: 'float32' | 'float64';
  /** Step of the differences; for functions linear in each input a large one has no error but rounding. */
  step?: number;
  tolerance?: number;
  /** Maps standard normal numbers to inputs, e.g. away from kinks or into a domain. */
  sample?: (normal: number, input: number, index: number) => number;
  /** Inputs that are not differentiated. */
  fixed?: readonly number[];
  seed?: number;
}

export function tensorOf(type: DataType, dims: readonly number[], values: ArrayLike<number>): Tensor {
  return type === 'float64'
    ? { type, dims, data: Float64Array.from(values) as NumericArray }
    : float32(dims, Float32Array.from(values));
}

/** Loss = sum of every output times fixed random weights. */
function withLoss(c: GradientCase, type: DataType): { graph: Graph; outputs: string[]; names: string[] } {
  const b = new GraphBuilder();
  const names = c.dims.map((dims, i) => b.input(String.fromCharCode(97 + i), type, dims));
  const written = c.write(b, names);
  const values = typeof written === 'string' ? [written] : written;
  const outputs = values.map((v, i) => b.output(v, `y${i}`, type));
  return { graph: b.build(), outputs, names };
}

/** Expects the graph's gradients to equal central differences along three random directions per input. */
export async function expectGradient(c: GradientCase): Promise<void> {
  const { type = 'float64', seed = 0, fixed = [] } = c;
  const step = c.step ?? (type === 'float64' ? 1e-5 : 1e-2);
  const tolerance = c.tolerance ?? (type === 'float64' ? 1e-6 : 5e-3);
  const random = new Random(seed, 'gradient');
  const { graph, outputs, names } = withLoss(c, type);
  const sample = c.sample ?? ((v) => v);
  const values = c.dims.map((dims, i) => Array.from({ length: sizeOf(dims) }, (_, j) => sample(random.normal(), i, j)));
  const feedsOf = (at: readonly (readonly number[])[]) =>
    Object.fromEntries(names.map((name, i) => [name, tensorOf(type, c.dims[i] as number[], at[i] as number[])]));

  const engine = await testEngine();
  const observed = await observe(graph, engine);
  const weights = outputs.map((o) =>
    Array.from({ length: sizeOf(observed.get(o)?.dims ?? []) }, () => random.normal()),
  );
  const b = new GraphBuilder(graph, 'loss');
  const parts = outputs.map((o, i) => {
    const w = b.constant(tensorOf(type, observed.get(o)?.dims ?? [], weights[i] as number[]));
    return b.op('ReduceSum', [b.op('Mul', [o, w])], { keepdims: 0 });
  });
  const loss = b.op('Sum', parts);
  b.output(loss, 'loss', type, []);
  const lossGraph = b.build();
  const wrt = names.filter((_, i) => !fixed.includes(i));
  const differentiated = gradient(lossGraph, {
    loss: 'loss',
    wrt,
    observed: await observe(lossGraph, engine),
  });
  const gradients = await runOnce(differentiated, feedsOf(values));

  const program = await engine.compile(graph, { optimize: 'none' });
  try {
    // What differentiation writes in other words is the same function.
    const before = await program.run(feedsOf(values));
    for (const o of outputs) {
      const largest = toNumbers(before[o] as Tensor).reduce((most, v) => Math.max(most, Math.abs(v)), 1);
      expect(difference(before[o], gradients[o]) / largest, `output ${o}`).toBeLessThan(
        type === 'float64' ? 1e-9 : 1e-5,
      );
    }
    const valueAt = async (at: readonly (readonly number[])[]) => {
      const results = await program.run(feedsOf(at));
      return outputs.reduce((total, o, k) => {
        const y = toNumbers(results[o] as Tensor);
        return total + y.reduce((sum, v, i) => sum + v * (weights[k]?.[i] as number), 0);
      }, 0);
    };
    for (const [i, name] of names.entries()) {
      if (fixed.includes(i)) continue;
      const g = toNumbers(gradients[gradientName(name)] as Tensor);
      for (let direction = 0; direction < 3; direction++) {
        const v = g.map(() => random.normal());
        // Through float32 so that the step taken is the step counted.
        const moved = [1, -1].map((sign) =>
          values.map((x, k) => (k === i ? x.map((xi, j) => xi + sign * step * (v[j] as number)) : x)),
        );
        const [plus, minus] = [await valueAt(moved[0] as number[][]), await valueAt(moved[1] as number[][])];
        const numeric = (plus - minus) / (2 * step);
        const analytic = g.reduce((sum, gj, j) => sum + gj * (v[j] as number), 0);
        const norm = Math.sqrt(g.reduce((s, x) => s + x * x, 0)) + 1;
        expect(Math.abs(numeric - analytic) / norm, `input ${name}: ${analytic} vs ${numeric}`).toBeLessThan(tolerance);
      }
    }
  } finally {
    await program.dispose();
  }
}
