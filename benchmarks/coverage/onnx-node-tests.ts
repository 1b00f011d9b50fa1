/**
 * The node tests of the onnx package through toehold's own passes: is the canonical form of each the same function, and
 * is its gradient that of central differences? Writes ../results/onnx-node-tests.json, and says what is wrong.
 *
 * usage: tsx benchmarks/coverage/onnx-node-tests.ts FOLDER [PATTERN]    (FOLDER: of peers/onnx_node_tests.py)
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { messageOf, Random, UserError, writeFileAtomic } from '../../src/base/index.js';
import { createEngine, Refusal } from '../../src/engine/index.js';
import {
  dequantize,
  type Graph,
  GraphBuilder,
  gradient,
  gradientName,
  type NumericType,
  observe,
  ownConstants,
  prune,
  readModelFile,
  sizeOf,
  type Tensor,
  tensorOf,
  toFloat32,
  toNumbers,
  upgrade,
} from '../../src/graph/index.js';

type Values = Readonly<Record<string, Tensor>>;

/** What became of one check. */
interface Verdict {
  readonly state: 'equal' | 'refused' | 'wrong' | 'failed' | 'kink' | 'none';
  readonly why?: string;
}

const [folder, pattern = ''] = process.argv.slice(2);
if (!folder) throw new UserError('name the folder that peers/onnx_node_tests.py has written');
const engine = await createEngine({ threads: 1 });

async function run(graph: Graph, feeds: Values): Promise<Record<string, Tensor>> {
  const program = await engine.compile(graph, { optimize: 'none' });
  try {
    return await program.run(feeds);
  } finally {
    await program.dispose();
  }
}

/** 16-bit floats as float32, as the canonical form has them; the rest as it is. */
function widened(values: Values): Record<string, Tensor> {
  const holder: Graph = {
    ...new GraphBuilder().build(),
    constants: new Map(Object.entries(values)),
  };
  return Object.fromEntries(toFloat32(holder).constants);
}

/** Largest difference over the largest value; Infinity where shapes differ or only one is no number. */
function apart(a: Tensor | undefined, b: Tensor | undefined): number {
  if (!a || !b || `${a.dims}` !== `${b.dims}`) return Number.POSITIVE_INFINITY;
  if (a.type === 'string') return `${a.data}` === `${b.data}` ? 0 : Number.POSITIVE_INFINITY;
  const [x, y] = [toNumbers(a), toNumbers(b)];
  let most = 0;
  let largest = 1;
  x.forEach((v, i) => {
    const w = y[i] as number;
    if (Object.is(v, w) || v === w) return;
    const difference = Math.abs(v - w);
    most = Number.isFinite(difference) ? Math.max(most, difference) : Number.POSITIVE_INFINITY;
    largest = Math.max(largest, Math.abs(w));
  });
  return most / largest;
}

const refusal = (error: unknown): Verdict => ({
  // What the engine says of a graph that we wrote is no refusal.
  state: error instanceof UserError && !messageOf(error).startsWith('the engine') ? 'refused' : 'failed',
  why: messageOf(error).slice(0, 300),
});

/** @returns the canonical form too where it is the same function */
async function canonicalForm(graph: Graph, feeds: Values, expected: Values): Promise<[Verdict, Graph | undefined]> {
  let canonical: Graph;
  try {
    canonical = ownConstants(dequantize(toFloat32(upgrade(graph))));
  } catch (error) {
    return [refusal(error), undefined];
  }
  try {
    const results = await run(canonical, widened(feeds));
    const half = [...graph.inputs, ...graph.outputs].some((v) => /float16/.test(v.type ?? ''));
    const wide = widened(expected);
    const worst = Math.max(0, ...graph.outputs.map((v) => apart(results[v.name], wide[v.name])));
    if (worst < (half ? 2e-2 : 1e-4)) return [{ state: 'equal' }, canonical];
    return [{ state: 'wrong', why: `differs by ${worst}` }, undefined];
  } catch (error) {
    return [refusal(error), undefined];
  }
}

const isFloat = (type: string | undefined): type is NumericType => type === 'float32' || type === 'float64';

/** By all float inputs at once; where that is refused, by the first, the others being part of the network. */
async function gradientOf(graph: Graph, feeds: Values): Promise<Verdict> {
  const floats = graph.inputs.filter((v) => isFloat(feeds[v.name]?.type)).map((v) => v.name);
  const outputs = graph.outputs.filter((v) => isFloat(v.type)).map((v) => v.name);
  if (floats.length === 0 || outputs.length === 0) return { state: 'none' };
  const verdict = await compareGradient(graph, feeds, floats, outputs);
  return (verdict.state === 'refused' || verdict.state === 'failed') && floats.length > 1
    ? compareGradient(graph, feeds, floats.slice(0, 1), outputs)
    : verdict;
}

async function compareGradient(graph: Graph, feeds: Values, wrt: string[], outputs: string[]): Promise<Verdict> {
  const fixed = new Map([...graph.constants, ...Object.entries(feeds).filter(([name]) => !wrt.includes(name))]);
  const inputs = graph.inputs
    .filter((v) => wrt.includes(v.name))
    .map((v) => ({ ...v, shape: (feeds[v.name] as Tensor).dims }));
  const bound = { ...graph, inputs, constants: fixed, outputs: graph.outputs.filter((v) => outputs.includes(v.name)) };
  const own = Object.fromEntries(wrt.map((name) => [name, feeds[name] as Tensor]));
  const type = feeds[wrt[0] as string]?.type as NumericType;
  try {
    const values = await run(bound, own);
    const weights = weightsOf(values, outputs, type);
    if (weights.size === 0) return { state: 'none' };
    const loss = weightedSum(bound, weights, type);
    const observed = await observe(loss, engine).catch((error) => {
      if (error instanceof Refusal && error.kind === 'shape') return undefined;
      throw error;
    });
    // Its shapes follow from its values (the ends of a Range, say), which noise does not have.
    if (!observed) return { state: 'none' };
    const differentiated = gradient(loss, { loss: lossName, wrt, observed, keep: [] });
    const read = new Set(differentiated.inputs.map((v) => v.name));
    const results = await run(
      differentiated,
      Object.fromEntries(Object.entries(own).filter(([name]) => read.has(name))),
    );
    const program = await engine.compile(bound, { optimize: 'none' });
    const lossAt = async (at: Values) => {
      const found = await program.run(at);
      return [...weights].reduce((sum, [name, w]) => {
        const factors = toNumbers(w);
        return toNumbers(found[name] as Tensor).reduce((s, v, i) => s + v * (factors[i] as number), sum);
      }, 0);
    };
    try {
      const isSingular = () => passesNoNumbers(bound, own, lossAt, wrt, type);
      return await compareDirections({ own, wrt, type, results, lossAt, isSingular });
    } finally {
      await program.dispose();
    }
  } catch (error) {
    if (/does not depend on/.test(messageOf(error))) return { state: 'none' };
    return refusal(error);
  }
}

const lossName = 'the loss';

/** Random factors for every output of the type. */
function weightsOf(values: Values, outputs: readonly string[], type: NumericType): Map<string, Tensor> {
  const random = new Random(1, 'weights');
  const chosen = outputs.filter((name) => values[name]?.type === type && sizeOf(values[name]?.dims ?? [0]) > 0);
  return new Map(
    chosen.map((name) => {
      const { dims } = values[name] as Tensor;
      const factors = Array.from({ length: sizeOf(dims) }, () => random.normal());
      return [name, tensorOf(type, dims, factors)];
    }),
  );
}

/** The graph with the sum of its outputs times `weights` as its loss. */
function weightedSum(graph: Graph, weights: ReadonlyMap<string, Tensor>, type: NumericType): Graph {
  const b = new GraphBuilder(graph, 'loss', type);
  const parts = [...weights].map(([name, w]) => b.op('ReduceSum', [b.mul(name, b.constant(w))], { keepdims: 0 }));
  b.output(b.op('Sum', parts), lossName, type, []);
  return prune(b.build());
}

/** Whether a value on the way to the loss, or a loss nearby, is not finite. */
async function passesNoNumbers(
  graph: Graph,
  own: Values,
  lossAt: (at: Values) => Promise<number>,
  wrt: readonly string[],
  type: NumericType,
): Promise<boolean> {
  const names = graph.nodes.flatMap((n) => n.outputs.filter(Boolean));
  const values = await run({ ...graph, outputs: names.map((name) => ({ name })) }, own);
  const isNumbers = (t: Tensor) => t.type !== type || toNumbers(t).every(Number.isFinite);
  if (!Object.values(values).every(isNumbers)) return true;
  for (const name of wrt) {
    const { dims } = own[name] as Tensor;
    for (const sign of [1e-3, -1e-3]) {
      const moved = tensorOf(
        type,
        dims,
        toNumbers(own[name] as Tensor).map((v) => v + sign),
      );
      if (!Number.isFinite(await lossAt({ ...own, [name]: moved }))) return true;
    }
  }
  return false;
}

interface Comparison {
  readonly own: Values;
  readonly wrt: readonly string[];
  readonly type: NumericType;
  readonly results: Values;
  readonly lossAt: (at: Values) => Promise<number>;
  /** Whether a value on the way is not finite, or a slope. */
  readonly isSingular: () => Promise<boolean>;
}

/** Two random directions per input; steps of two sizes tell a kink of the function from a wrong gradient. */
async function compareDirections({ own, wrt, type, results, lossAt, isSingular }: Comparison): Promise<Verdict> {
  const random = new Random(1, 'directions');
  let isKink = false;
  const base = await lossAt(own);
  for (const name of wrt) {
    const g = toNumbers(results[gradientName(name)] as Tensor);
    if (!g.every(Number.isFinite)) {
      const why = `the gradient of '${name}' is not finite`;
      return { state: (await isSingular()) ? 'kink' : 'wrong', why };
    }
    const x = own[name] as Tensor;
    const norm = Math.hypot(...g) + 1;
    for (let direction = 0; direction < 2; direction++) {
      const v = g.map(() => random.normal());
      const analytic = g.reduce((sum, gi, i) => sum + gi * (v[i] as number), 0);
      const slopes: number[] = [];
      for (const h of type === 'float64' ? [1e-4, 5e-5] : [1e-2, 1e-3]) {
        const at = (sign: number) => ({
          ...own,
          [name]: tensorOf(
            type,
            x.dims,
            toNumbers(x).map((xi, i) => xi + sign * h * (v[i] as number)),
          ),
        });
        const [above, below] = [await lossAt(at(1)), await lossAt(at(-1))];
        slopes.push((above - below) / (2 * h), (above - base) / h, (base - below) / h);
      }
      // A slope that the two sizes, or the two sides, do not agree on is no slope.
      const spread = Math.max(...slopes) - Math.min(...slopes);
      const error = Math.min(...[slopes[0], slopes[3]].map((s) => Math.abs((s as number) - analytic))) / norm;
      if (error < 2e-2) continue;
      if (!Number.isFinite(spread) || spread / norm > 2e-2) isKink = true;
      else return { state: 'wrong', why: `of '${name}': ${analytic}, by differences ${slopes[3]}` };
    }
  }
  return { state: isKink ? 'kink' : 'equal' };
}

async function examine(name: string): Promise<{ engine: Verdict; canonical: Verdict; gradient: Verdict }> {
  const none: Verdict = { state: 'none' };
  let graph: Graph;
  try {
    graph = await readModelFile(join(folder as string, name, 'model.onnx'));
  } catch (error) {
    return { engine: none, canonical: refusal(error), gradient: none };
  }
  // The engine dies of some.
  const opaque = [...graph.inputs, ...graph.outputs].find((v) => v.type?.startsWith('opaque'));
  if (opaque)
    return { engine: { state: 'none', why: `elements of type ${opaque.type}` }, canonical: none, gradient: none };
  const data = await readModelFile(join(folder as string, name, 'data.onnx'));
  const of = (kind: string) =>
    Object.fromEntries(
      [...data.constants].flatMap(([key, tensor]) => {
        const [, word, , value] = /^(in|out) (\d+) (.*)$/s.exec(key) ?? [];
        return word === kind ? [[value as string, tensor] as const] : [];
      }),
    );
  const [feeds, truth] = [of('in'), of('out')];
  const given = Object.fromEntries(Object.entries(feeds).filter(([key]) => graph.inputs.some((v) => v.name === key)));
  try {
    const results = await run(graph, given);
    const worst = Math.max(0, ...graph.outputs.map((v) => apart(results[v.name], truth[v.name])));
    const isRandom = graph.nodes.some((n) => /Random|Bernoulli|Multinomial|Dropout/.test(n.op));
    if (worst > 2e-2 && !isRandom) {
      return { engine: { state: 'wrong', why: `differs by ${worst}` }, canonical: none, gradient: none };
    }
    if (isRandom) return { engine: { state: 'none', why: 'random' }, canonical: none, gradient: none };
    const [canonical, form] = await canonicalForm(graph, given, results);
    return {
      engine: { state: 'equal' },
      canonical,
      gradient: form ? await gradientOf(form, widened(given)) : none,
    };
  } catch (error) {
    return { engine: { state: 'failed', why: messageOf(error).slice(0, 300) }, canonical: none, gradient: none };
  }
}

const counts: Record<string, Record<string, number>> = { engine: {}, canonical: {}, gradient: {} };
const details: Record<string, Record<string, Record<string, string>>> = {};
for (const name of readdirSync(folder)
  .filter((n) => n.startsWith('test_') && n.includes(pattern))
  .sort()) {
  const verdicts = await examine(name);
  for (const [what, { state, why }] of Object.entries(verdicts)) {
    const count = counts[what] as Record<string, number>;
    count[state] = (count[state] ?? 0) + 1;
    if (state === 'equal' || state === 'none') continue;
    details[what] ??= {};
    details[what][state] ??= {};
    details[what][state][name] = why ?? '';
    if (pattern || state === 'wrong' || state === 'failed') console.log(`${what} ${state}: ${name}: ${why ?? ''}`);
  }
}
console.log(counts);
if (!pattern) {
  const onnx = readFileSync(join(folder, 'version'), 'utf8');
  const path = fileURLToPath(new URL('../results/onnx-node-tests.json', import.meta.url));
  await writeFileAtomic(path, `${JSON.stringify({ onnx, engine: engine.name, counts, details }, null, 1)}\n`);
}
