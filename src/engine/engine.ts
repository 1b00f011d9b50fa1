/**
 * An engine compiles graphs and runs them; everything else in toehold is a graph.
 * Every implementation passes the shared suite in test/engine/.
 */
import type { Graph, Tensor, ValueInfo } from '../ir/index.js';

/** Where an engine runs, and how wide. */
export interface DeviceOptions<Device extends string = string> {
  device: Device;
  /** Which ones, where there are several of the kind: programs with workers run on all of them, others on the first. */
  ordinals?: readonly number[];
  /** Threads for one run; 0 takes every processor that the process may use. */
  threads: number;
}

/** How a graph is compiled. */
export interface CompileOptions {
  /** 'all' fuses operators and chooses layouts; 'none' runs the nodes as written (observing, tests). */
  optimize?: 'all' | 'none';
  /**
   * Places all intermediate values in one block after the first run; true by default. Without it they are allocated
   * during each run, which is as fast and takes half the memory where many of them live long: training steps.
   */
  planMemory?: boolean;
  /**
   * Runs the program in this many threads besides the caller's, each with its own weights and its own working memory: as many
   * runs overlap. 0, the default, runs in the caller's thread, one at a time. Results do not depend on it. Feeds are copied when
   * a run is asked for. Where the engine runs on several devices, workers are dealt to them in turn.
   */
  workers?: number;
  /** Threads of a run, which can change the last bits of its results; with workers 1 by default, else the engine's. */
  threads?: number;
  /** Of each worker, the logical processors that it keeps to, where the system can be told (Linux with taskset). */
  processors?: readonly (readonly number[])[];
}

/** Tensors by the names of their values. */
export type Tensors = Readonly<Record<string, Tensor>>;

/** A compiled graph: runs on tensors by name. */
export interface Program {
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  /** What the engine knows of its outputs before any run: types, and shapes as far as they follow from the inputs'. */
  readonly outputInfo: readonly ValueInfo[];
  /**
   * Runs once. `feeds` holds every input; they may be overwritten when the run is done.
   * @throws UserError when a feed is missing, unknown, or of another type or shape than declared.
   * @throws Refusal when a node cannot run on what it is given.
   * @param into tensors to write outputs into, by name; only when given, only these outputs are computed unless
   *   `fetches` lists more. Their types and dims must be the outputs'.
   * @param fetches the outputs to return; all by default.
   */
  run(feeds: Tensors, fetches?: readonly string[], into?: Tensors): Promise<Record<string, Tensor>>;
  /** Keeps so many of its workers, the first ones, and frees the memory of the others; where it has workers. */
  narrow?(workers: number): Promise<void>;
  /** Frees its memory; it cannot be run afterwards. */
  dispose(): Promise<void>;
}

/** What compiles graphs and runs them. */
export interface Engine {
  /** Name and version of the library, for records. */
  readonly name: string;
  readonly device: string;
  /** The accelerators that it runs on, by name: 'cuda:0'; none on a processor. */
  readonly accelerators: readonly string[];
  readonly threads: number;
  /**
   * Domains of the operators, besides the standard ones, that a graph may be rewritten into for this engine. An operator
   * that is missing all the same is an error of `compile`.
   */
  readonly domains: readonly string[];
  /**
   * Channels in a block of the layout [N, C / block, H, W, block] that operators of com.microsoft.nchwc compute in
   * (8 with AVX, 16 with AVX-512), or 0 when the engine has none here.
   */
  blockWidth(): Promise<number>;
  /**
   * @throws UserError when the graph holds an operator that the engine lacks (operator and node named).
   * @throws Refusal when a node does not fit the graph or the shapes around it, naming node and fact.
   */
  compile(graph: Graph, options?: CompileOptions): Promise<Program>;
}

/** A library that engines are made with. */
export interface EngineKind<Name extends string = string, Device extends string = string> {
  /** What users call it: --engine. */
  readonly name: Name;
  /** The devices that it knows, whether they are here or not. */
  readonly devices: readonly Device[];
  /** Those of them that may have numbers: 'cuda:1'. */
  readonly numbered?: readonly Device[];
  /** Loads the library. @returns its package and version @throws when it is not installed or does not load */
  library(): Promise<string>;
  /** @throws UserError when the device is not here, naming the fix */
  create(options: DeviceOptions<Device>): Promise<Engine>;
}
