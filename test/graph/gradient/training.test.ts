/** Steps of training against PyTorch's: same weights, same batches, same losses. */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { buildArchitecture } from '../../../src/graph/architectures/index.js';
import { adamw, appendOptimiser, buildLoss, gradient, sgd, type Transform } from '../../../src/graph/gradient/index.js';
import {
  float32,
  int64,
  learnedConstants,
  observe,
  sizeOf,
  type Tensor,
  trainingForm,
} from '../../../src/graph/index.js';
import { testEngine } from '../../support/run.js';

interface Fixture {
  resnet20: number[];
  'vit-tiny': number[];
}
const fixture: Fixture = JSON.parse(
  readFileSync(new URL('../../fixtures/gradient/training.json', import.meta.url), 'utf8'),
);

/** The rule of make_training.py. */
function noise(name: string, dims: readonly number[], scale = 1): Tensor {
  let key = 0;
  [...name].forEach((c, j) => {
    key += c.charCodeAt(0) * (j + 1);
  });
  key %= 1000;
  const data = Float32Array.from({ length: sizeOf(dims) }, (_, i) => {
    const s = Math.sin((i + 1) * 12.9898 + key * 0.78233) * 43758.5453;
    return Math.fround((s - Math.floor(s)) * 2 - 1);
  });
  return float32(
    dims,
    data.map((v) => v * Math.fround(scale)),
  );
}

function weightOf(name: string, dims: readonly number[]): Tensor {
  if (/(norm|norm\d|bn\d)\.weight$/.test(name)) return float32(dims, new Float32Array(sizeOf(dims)).fill(1));
  if (name.endsWith('.bias')) return float32(dims, new Float32Array(sizeOf(dims)));
  // Convolutions and the head are stored (out, in ...), products of tokens (in, out), the embeddings by their width.
  const fanIn = name === 'logits.weight' ? dims[1] : dims.length === 3 ? dims[2] : dims.length === 2 ? dims[0] : 0;
  const convolution = name === 'patch.weight' ? 768 : sizeOf(dims.slice(1)) / 2;
  return noise(name, dims, Math.sqrt(3 / (fanIn || convolution)));
}

interface Run {
  size: number;
  batch: number;
  lr: number;
  optimiser: Transform;
  labelSmoothing: number;
}

async function losses(architecture: string, { size, batch, lr, optimiser, labelSmoothing }: Run, block: number) {
  const engine = await testEngine();
  const network = buildArchitecture(architecture, { size, classes: 10 });
  const form = trainingForm({ ...network, outputs: network.outputs.filter((o) => o.name === 'logits') });
  const withLoss = buildLoss(form.graph, { logits: 'logits', classes: 10, labelSmoothing });
  const observed = await observe(withLoss, engine, { input: [batch, 3, size, size], labels: [batch] });
  const wrt = learnedConstants(withLoss);
  const keep = form.running.map((r) => r.output);
  const parameters = wrt.map((name) => ({ name, dims: observed.get(name)?.dims as number[] }));
  const differentiated = gradient(withLoss, { loss: 'loss', wrt, observed, keep, block });
  const step = appendOptimiser(differentiated, parameters, optimiser);
  const state: Record<string, Tensor> = {};
  for (const { input, dims, kind } of step.state) {
    state[input] = kind === 'weight' ? weightOf(input, dims) : float32(dims, new Float32Array(sizeOf(dims)));
  }
  for (const r of form.running) state[r.input] = r.initial;
  const images = noise('images', [4 * batch, 3, size, size]).data as Float32Array;
  const program = await engine.compile(step.graph);
  const result: number[] = [];
  try {
    for (let i = 0; i < 50; i++) {
      const at = (i % 4) * batch;
      const pixels = 3 * size * size;
      const results = await program.run({
        ...state,
        input: float32([batch, 3, size, size], images.slice(at * pixels, (at + batch) * pixels)),
        labels: int64(Array.from({ length: batch }, (_, k) => ((at + k) * 7 + Math.floor((at + k) / 10)) % 10)),
        learning_rate: float32([], [lr]),
        ...(step.scalars.includes('step') && { step: float32([], [i + 1]) }),
      });
      result.push((results.loss as Tensor).data[0] as number);
      for (const { input, output } of [...step.state, ...form.running]) state[input] = results[output] as Tensor;
    }
  } finally {
    await program.dispose();
  }
  return result;
}

describe('50 steps lose what they lose in PyTorch', () => {
  for (const layout of ['standard', 'blocked']) {
    test(`ResNet-20, SGD with momentum, decay and label smoothing, ${layout} layout`, async () => {
      const block = layout === 'blocked' ? await (await testEngine()).blockWidth() : 0;
      const ours = await losses(
        'resnet20',
        { size: 16, batch: 16, lr: 5e-4, optimiser: sgd({ momentum: 0.9, weightDecay: 1e-3 }), labelSmoothing: 0.1 },
        block,
      );
      const off = ours.map((v, i) => Math.abs(v - (fixture.resnet20[i] as number)));
      expect(Math.max(...off)).toBeLessThan(1e-3);
    });
  }

  test('ViT-Tiny, AdamW', async () => {
    const optimiser = adamw({ weightDecay: 0.05 });
    const ours = await losses('vit-tiny', { size: 32, batch: 8, lr: 1e-4, optimiser, labelSmoothing: 0 }, 0);
    const off = ours.map((v, i) => Math.abs(v - (fixture['vit-tiny'][i] as number)));
    expect(Math.max(...off)).toBeLessThan(1e-3);
  });
});
