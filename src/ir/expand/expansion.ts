/** What an expansion sees of its node, and how it gives the results. */
import { UserError } from '../../base/index.js';
import type { Dims, Emitter } from '../emitter.js';
import { type DataType, type Node, nodeLabel, toNumbers } from '../graph.js';

/** Writes a node in other operators, and declares each output that the node has (see ExpansionContext.put). */
export type Expansion = (c: ExpansionContext) => void;

export class ExpansionContext {
  constructor(
    readonly node: Node,
    readonly e: Emitter,
    private readonly typeOf: (value: string) => DataType | undefined,
    private readonly refusal: string,
  ) {}

  /** Name of input `i`; '' when absent. */
  x(i = 0): string {
    return this.node.inputs[i] ?? '';
  }

  has(i: number): boolean {
    return this.x(i) !== '';
  }

  dims(i = 0): Dims {
    return this.e.dims(this.x(i));
  }

  isBoolean(i: number): boolean {
    return this.typeOf(this.x(i)) === 'bool';
  }

  /** Whether somebody may read output `i`. */
  wants(i: number): boolean {
    return Boolean(this.node.outputs[i]);
  }

  /** Lets output `i` be `value`. */
  put(i: number, value: string): void {
    const name = this.node.outputs[i];
    if (name) this.e.node('Identity', [value], [name]);
  }

  /** Numbers of an input that must be a constant; undefined when it is absent. */
  numbers(i: number, what: string): number[] | undefined {
    if (!this.has(i)) return undefined;
    const tensor = this.e.constantOf(this.x(i));
    return tensor ? toNumbers(tensor) : this.unsupported(`${what} that the network computes`);
  }

  /** @throws UserError for a variant of the operator that has no form here. */
  unsupported(what: string): never {
    throw new UserError(`${nodeLabel(this.node)} ${this.refusal}: ${what} is not supported`);
  }
}
