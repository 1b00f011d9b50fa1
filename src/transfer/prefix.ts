/**
 * The frozen prefix: what does not depend on trained weights, batch statistics or dropout gives the same activations in
 * every epoch. Without augmentation it runs once per image, and only the rest of the network is trained.
 */
import { mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileError } from '../base/index.js';
import type { Engine } from '../engine/index.js';
import { type Graph, type Observed, type ObservedValue, sizeOf, subgraph, type Tensor } from '../graph/index.js';
import type { ImageSource } from './images.js';

/** A cut through the network: `values` are computed from the images alone, and all that the rest needs of them. */
export interface Cut {
  readonly input: string;
  /** float32 values of shape (batch, ...). */
  readonly values: readonly { readonly name: string; readonly dims: readonly number[] }[];
  /** Bytes per image. */
  readonly bytes: number;
}

/**
 * The deepest cut above which something learns.
 * @param graph a training form; every input but `input` carries something that changes from step to step
 * @param learned names of the constants that are trained
 * @returns undefined when nothing is frozen, or when an activation there is not one row per image
 */
export function frozenCut(
  graph: Graph,
  input: string,
  learned: ReadonlySet<string>,
  observed: Observed,
): Cut | undefined {
  const changing = new Set([...learned, ...graph.inputs.map((i) => i.name).filter((name) => name !== input)]);
  const fixed = new Set([input]);
  for (const node of graph.nodes) {
    if (node.inputs.some((name) => changing.has(name))) for (const name of node.outputs) changing.add(name);
    else if (node.inputs.some((name) => fixed.has(name))) for (const name of node.outputs) fixed.add(name);
  }
  const needed = new Set<string>();
  for (const node of graph.nodes) {
    if (!node.outputs.some((name) => changing.has(name))) continue;
    for (const name of node.inputs) if (fixed.has(name)) needed.add(name);
  }
  const batch = observed.get(input)?.dims[0];
  const values = [...needed].map((name) => ({ name, ...(observed.get(name) as ObservedValue) }));
  if (needed.has(input) || values.length === 0) return undefined;
  if (values.some((v) => v.type !== 'float32' || v.dims[0] !== batch)) return undefined;
  const bytes = values.reduce((sum, v) => sum + 4 * sizeOf(v.dims.slice(1)), 0);
  return { input, values: values.map(({ name, dims }) => ({ name, dims: [...dims] })), bytes };
}

/** The two graphs on either side of a cut. */
export function splitAt(graph: Graph, cut: Cut): { prefix: Graph; rest: Graph } {
  const image = graph.inputs.find((i) => i.name === cut.input) as Graph['inputs'][number];
  const declared = cut.values.map(({ name, dims }) => ({ name, type: 'float32' as const, shape: dims }));
  const others = graph.inputs.filter((i) => i.name !== cut.input);
  return {
    prefix: subgraph(graph, [image], declared),
    rest: subgraph(graph, [...declared, ...others], graph.outputs),
  };
}

/** Activations of all training images at a cut, in memory or, beyond `memoryBytes`, in a temporary file. */
export class PrefixActivations {
  private constructor(
    private readonly cut: Cut,
    private readonly memory: Float32Array | undefined,
    private readonly file: { handle: Awaited<ReturnType<typeof open>>; directory: string } | undefined,
  ) {}

  static async compute(
    engine: Engine,
    prefix: Graph,
    cut: Cut,
    images: ImageSource,
    memoryBytes: number,
    onBatch: (done: number) => void = () => undefined,
  ): Promise<PrefixActivations> {
    const n = images.files.length;
    const inMemory = cut.bytes * n <= memoryBytes;
    const memory = inMemory ? new Float32Array((cut.bytes / 4) * n) : undefined;
    const file = inMemory ? undefined : await temporaryFile();
    const result = new PrefixActivations(cut, memory, file);
    const program = await engine.compile(prefix);
    try {
      const batch = cut.values[0]?.dims[0] as number;
      const [height, width] = images.size;
      const pixels = new Uint8Array(batch * height * width * 3);
      const feed: Tensor = { type: 'uint8', dims: [batch, height, width, 3], data: pixels };
      for (let start = 0; start < n; start += batch) {
        await images.read(
          Array.from({ length: batch }, (_, i) => Math.min(start + i, n - 1)),
          pixels,
        );
        const values = await program.run({ [cut.input]: feed });
        for (let i = 0; i < batch && start + i < n; i++) await result.#store(start + i, i, values);
        onBatch(Math.min(n, start + batch));
      }
      return result;
    } catch (error) {
      await result.dispose();
      throw error;
    } finally {
      await program.dispose();
    }
  }

  async #store(index: number, row: number, values: Readonly<Record<string, Tensor>>): Promise<void> {
    let at = (index * this.cut.bytes) / 4;
    for (const { name, dims } of this.cut.values) {
      const size = sizeOf(dims.slice(1));
      const part = ((values[name] as Tensor).data as Float32Array).subarray(row * size, (row + 1) * size);
      if (this.memory) this.memory.set(part, at);
      else {
        const bytes = new Uint8Array(part.buffer, part.byteOffset, part.byteLength);
        await this.file?.handle.write(bytes, 0, bytes.length, at * 4).catch((error) => {
          throw fileError(error, this.file?.directory ?? '');
        });
      }
      at += size;
    }
  }

  /** Fills the feeds of one step. `into` holds a tensor (batch, ...) per value of the cut. */
  async read(indices: readonly number[], into: Readonly<Record<string, Tensor>>): Promise<void> {
    for (const [row, index] of indices.entries()) {
      let at = (index * this.cut.bytes) / 4;
      for (const { name, dims } of this.cut.values) {
        const size = sizeOf(dims.slice(1));
        const target = ((into[name] as Tensor).data as Float32Array).subarray(row * size, (row + 1) * size);
        if (this.memory) target.set(this.memory.subarray(at, at + size));
        else {
          const bytes = new Uint8Array(target.buffer, target.byteOffset, target.byteLength);
          await this.file?.handle.read(bytes, 0, bytes.length, at * 4);
        }
        at += size;
      }
    }
  }

  async dispose(): Promise<void> {
    if (!this.file) return;
    await this.file.handle.close();
    await rm(this.file.directory, { recursive: true, force: true });
  }
}

async function temporaryFile(): Promise<{ handle: Awaited<ReturnType<typeof open>>; directory: string }> {
  const directory = await mkdtemp(join(tmpdir(), 'toehold-prefix-'));
  const handle = await open(join(directory, 'activations.f32'), 'wx+');
  // The file lives as long as the process has it open: one that is killed leaves nothing. Windows keeps open files.
  if (process.platform !== 'win32') await rm(directory, { recursive: true, force: true });
  return { handle, directory };
}
