/**
 * An engine compiles graphs and runs them; everything else in toehold is a graph.
 * Every implementation passes the shared suite in test/engine/.
 */
import type { Graph, Tensor, ValueInfo } from '../ir/index.js';

export const devices = ['cpu', 'cuda', 'webgpu', 'coreml', 'dml'] as const;
export type Device = (typeof devices)[number];

export interface EngineOptions {
  device: Device;
  /** Threads for one run; 0 takes every core that the process may use. */
  threads: number;
}
export const engineDefaults: EngineOptions = { device: 'cpu', threads: 0 };

export interface CompileOptions {
  /** 'all' fuses and lays out anew; 'none' runs the nodes as they stand (observing, tests). */
  optimize?: 'all' | 'none';
  /**
   * Lays out all intermediate values in one block after the first run; true by default. Without it they are allocated
   * while running, which is as fast and takes half the memory where many live long: training steps.
   */
  planMemory?: boolean;
  /**
   * Runs the program in so many threads beside the caller's, each with its share of the engine's threads, its own weights
   * and its own working memory: runs then go on at the same time, up to this number. 0, the default, runs in the caller's
   * thread, one at a time. Results do not depend on it. Feeds are copied when a run is asked for.
   */
  workers?: number;
}

export type Tensors = Readonly<Record<string, Tensor>>;

export interface Program {
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  /** What the engine knows of its outputs before any run: types, and shapes as far as they follow from the inputs'. */
  readonly outputInfo: readonly ValueInfo[];
  /**
   * Runs once. `feeds` holds every input; they may be overwritten when the run is done.
   * @throws UserError when a feed is missing, unknown, or of another type or shape than declared.
   * @param into tensors to write outputs into, by name; only when given, only these outputs are computed unless
   *   `fetches` lists more. Their types and dims must be the outputs'.
   * @param fetches the outputs to return; all by default.
   */
  run(feeds: Tensors, fetches?: readonly string[], into?: Tensors): Promise<Record<string, Tensor>>;
  dispose(): Promise<void>;
}

export interface Engine {
  /** Name and version, for records. */
  readonly name: string;
  readonly device: Device;
  readonly threads: number;
  /** @throws UserError when the graph holds an operator that the engine lacks (operator and node named). */
  compile(graph: Graph, options?: CompileOptions): Promise<Program>;
}
