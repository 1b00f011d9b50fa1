/** What a rule of differentiation sees and returns. */
import { UserError } from '../../../base/index.js';
import type { Dims, Emitter } from '../../../ir/index.js';
import { type Node, nodeLabel, type ObservedValue, type Tensor, toNumbers } from '../../../ir/index.js';

/** One node while it is copied forward or differentiated. */
export class RuleContext {
  /** Values that the forward step leaves for the backward step (indices, statistics), by a name of the rule's own. */
  readonly saved = new Map<string, string>();
  /** Gradient of each output, undefined where the loss does not depend on it. */
  outputGradients: readonly (string | undefined)[] = [];

  constructor(
    readonly node: Node,
    readonly e: Emitter,
    readonly constants: ReadonlyMap<string, Tensor>,
    private readonly active: ReadonlySet<string>,
    private readonly observed: ReadonlyMap<string, ObservedValue>,
  ) {}

  /** Name of input `i`; '' when absent. */
  x(i = 0): string {
    return this.node.inputs[i] ?? '';
  }

  y(i = 0): string {
    return this.node.outputs[i] as string;
  }

  has(i: number): boolean {
    return this.x(i) !== '';
  }

  /** Whether the gradient of input `i` is wanted. */
  needs(i: number): boolean {
    return this.active.has(this.x(i));
  }

  /** Input `i` in the loss's element type: exponents may be integers. */
  number(i: number): string {
    const type = this.observed.get(this.x(i))?.type ?? this.constants.get(this.x(i))?.type ?? this.e.type;
    return type === this.e.type ? this.x(i) : this.e.cast(this.x(i), this.e.type);
  }

  xDims(i = 0): Dims {
    return this.e.dims(this.x(i));
  }

  yDims(i = 0): Dims {
    return this.e.dims(this.y(i));
  }

  /** Name of an optional second output of y's shape, which is asked for if the graph does not: a mask, indices. */
  secondOutput(hint: string): string {
    const name = this.node.outputs[1];
    if (!name) return this.e.value(hint, this.yDims());
    this.e.shapes.set(name, this.yDims());
    return name;
  }

  /** Gradient of output `i`, zeros when nothing depends on it. */
  dy(i = 0): string {
    return this.outputGradients[i] ?? this.e.zeros(this.yDims(i));
  }

  /** Numbers of a constant input such as axes or pads; undefined when the input is absent. */
  numbers(i: number, what: string): number[] | undefined {
    if (!this.has(i)) return undefined;
    const tensor = this.constants.get(this.x(i));
    if (!tensor) {
      throw new UserError(
        `${nodeLabel(this.node)} computes its ${what} while running, so it cannot be differentiated; fold the graph's constants first`,
      );
    }
    return toNumbers(tensor);
  }

  /** @throws UserError for a variant of the operator that has no gradient here. */
  unsupported(what: string): never {
    throw new UserError(`${nodeLabel(this.node)} cannot be differentiated: ${what} is not supported`);
  }
}

/** Gradient for each input, in order; undefined where none is wanted or none exists. */
export type Backward = (c: RuleContext) => readonly (string | undefined)[];

export interface Rule {
  /** Writes the node itself when more than a copy is needed, leaving what backward reuses in `c.saved`. */
  forward?: (c: RuleContext) => void;
  backward: Backward;
}

export type RuleTable = Readonly<Record<string, Rule | Backward>>;
