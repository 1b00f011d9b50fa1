/** Compiled graphs of the solvers, kept per engine: a graph is built and compiled once, whatever asks for it. */
import type { CompileOptions, Engine, Program } from '../engine/index.js';
import { type Graph, GraphBuilder, type Tensor } from '../ir/index.js';

export type Precision = 'float32' | 'float64';
/** A typed array of floating-point numbers. */
export type Floats = Float32Array | Float64Array;

/**
 * The programs of an engine live as long as it does, and are collected with it: there are about twenty, they hold no
 * weights, and the shapes that differ between problems are inputs. So there is nothing to dispose of before.
 */
const cache = new WeakMap<Engine, Map<string, Promise<Program>>>();

/** The program that `key` names, compiled from `build()` the first time. */
export function programFor(
  engine: Engine,
  key: string,
  build: () => Graph,
  options?: CompileOptions,
): Promise<Program> {
  const programs = cache.get(engine) ?? new Map<string, Promise<Program>>();
  cache.set(engine, programs);
  const program = programs.get(key) ?? engine.compile(build(), options);
  programs.set(key, program);
  return program;
}

export function precisionOf(data: Floats): Precision {
  return data instanceof Float32Array ? 'float32' : 'float64';
}

export function floats(precision: Precision, length: number): Floats {
  return precision === 'float32' ? new Float32Array(length) : new Float64Array(length);
}

/** A tensor of floating-point numbers. */
export interface FloatTensor<T extends Floats = Floats> extends Tensor {
  readonly type: Precision;
  readonly data: T;
}

/** A tensor over `data` as it stands. */
export function tensor<T extends Floats>(dims: readonly number[], data: T): FloatTensor<T> {
  return { type: precisionOf(data), dims, data };
}

/** A GraphBuilder whose inputs and constants have one floating-point precision. */
export class MathBuilder {
  readonly builder = new GraphBuilder();
  constructor(readonly precision: Precision) {}

  /** An input of the program. */
  input(name: string): string {
    return this.builder.input(name, this.precision);
  }

  /** A number as a constant. */
  number(value: number): string {
    const data = floats(this.precision, 1);
    data[0] = value;
    return this.builder.constant(tensor([], data));
  }

  /** An operation on values. */
  op(op: string, inputs: readonly string[], attributes: Record<string, number | readonly number[]> = {}): string {
    return this.builder.op(op, inputs, attributes);
  }

  /** Reduces over `axes`, keeping them with size one. */
  reduce(op: string, x: string, axes: readonly number[], keep = true): string {
    return this.builder.op(op, [x, this.builder.ints(axes)], { keepdims: keep ? 1 : 0 });
  }

  /** Makes a value an output. */
  output(value: string, name: string): void {
    this.builder.output(value, name, this.precision);
  }
}
