import { describe, expect } from 'vitest';
import { buildLoss, gradient, gradientName } from '../../../src/graph/gradient/index.js';
import {
  float32,
  type Graph,
  int64,
  learnedConstants,
  observe,
  readModelFile,
  specialise,
  type Tensor,
  trainingForm,
  upgrade,
} from '../../../src/graph/index.js';
import { assetsTest, backbonePath, backbones } from '../../support/assets.js';
import { testEngine } from '../../support/run.js';

const size = (name: string) => (name.startsWith('cifar') ? 32 : name === 'deit_tiny' ? 224 : 64);

describe('every backbone of the assets differentiates end to end', () => {
  for (const name of backbones) {
    assetsTest(name, async () => {
      const engine = await testEngine();
      const model = upgrade(await readModelFile(backbonePath(name)));
      const shape = [2, 3, size(name), size(name)] as const;
      const { graph: fixed } = await specialise(model, engine, shape);
      const { graph, masks } = trainingForm(fixed);
      const logits = (graph.outputs[0] as Graph['outputs'][number]).name;
      const flat = await observe(graph, engine, {}, masks);
      const dims = flat.get(logits)?.dims as number[];
      const lossGraph = buildLoss(graph, { logits, classes: dims[1] as number });
      const observed = await observe(lossGraph, engine, { labels: [2] }, masks);
      const wrt = learnedConstants(lossGraph);
      const differentiated = gradient(lossGraph, { loss: 'loss', wrt, observed, keep: [] });
      const program = await engine.compile(differentiated);
      try {
        const feeds = Object.fromEntries(
          differentiated.inputs.map(({ name: input }) => {
            const known = fixed.constants.get(input);
            if (known) return [input, known];
            if (input === 'labels') return [input, int64([1, 3])];
            const d = observed.get(input)?.dims as number[];
            const n = d.reduce((a, b) => a * b, 1);
            return [
              input,
              float32(
                d,
                Array.from({ length: n }, (_, i) => Math.sin(i * 12.9898) * 2),
              ),
            ];
          }),
        );
        const results = await program.run(feeds);
        const data = (t: Tensor | undefined) => t?.data as Float32Array;
        expect(wrt.length).toBeGreaterThan(20);
        for (const w of wrt) {
          const g = results[gradientName(w)];
          expect(g?.dims, w).toEqual(fixed.constants.get(w)?.dims);
          expect(data(g).every(Number.isFinite), w).toBe(true);
        }
        // A small step against the gradient lowers the loss by its squared norm.
        const lossAt = async (step: number) => {
          const moved = { ...feeds };
          for (const w of wrt) {
            const g = data(results[gradientName(w)]);
            moved[w] = float32(
              feeds[w]?.dims as number[],
              data(feeds[w]).map((v, i) => v - step * (g[i] as number)),
            );
          }
          return data((await program.run(moved, ['loss'])).loss)[0] as number;
        };
        let norm = 0;
        for (const w of wrt) for (const v of data(results[gradientName(w)])) norm += v * v;
        const step = 2e-3 / norm;
        const drop = (await lossAt(-step)) - (await lossAt(step));
        expect(drop / (2 * step * norm)).toBeGreaterThan(0.9);
        expect(drop / (2 * step * norm)).toBeLessThan(1.1);
      } finally {
        await program.dispose();
      }
    });
  }
});
