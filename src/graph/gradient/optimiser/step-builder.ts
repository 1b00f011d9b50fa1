/** What optimisers are written with: parameters, their updates, and a builder of steps. */
import { GraphBuilder } from '../../../ir/index.js';

/** A weight that an optimiser moves. */
export interface OptimiserParameter {
  /** The weight: an input of the gradient graph. */
  readonly name: string;
  readonly dims: readonly number[];
  /** Factor on the learning rate (layer-wise decay, a slower backbone). */
  readonly lrScale?: number;
  /** Whether weight decay applies; biases and norms are often left out. Default true. */
  readonly decay?: boolean;
}

/**
 * The scalars that an optimiser may ask to be fed: the learning rate of this step, its number, counted from 1, and the
 * weight decay, where runs that differ in it share a step.
 */
export interface Rates {
  readonly learning_rate: number;
  readonly step: number;
  readonly weight_decay?: number;
}
/** A scalar that is fed at every step. */
export type RateName = keyof Rates;

/** A tensor carried from step to step: feed it as `input`, take it back from `output`. */
export interface StateSlot {
  readonly input: string;
  readonly output: string;
  readonly dims: readonly number[];
  /** Weights and their averages start from the model, moments from zero. */
  readonly kind: 'weight' | 'moment' | 'average';
  /** The weight that it is, or belongs to. */
  readonly weight: string;
}

/** A parameter's step on its way through the transforms. */
export interface Update {
  readonly parameter: OptimiserParameter;
  /** What the step is taken from: the weight, or what decay left of it. */
  readonly weight: string;
  /** What is subtracted from it: the gradient at first. */
  readonly step: string;
}

/** What transforms write with: nodes, feeds and state. */
export class StepBuilder extends GraphBuilder {
  readonly state: StateSlot[] = [];
  readonly scalars: RateName[] = [];
  readonly #scaled = new Map<number, string>();

  /** A scalar that is fed in every step. */
  rate(name: RateName): string {
    if (!this.scalars.includes(name)) {
      this.scalars.push(name);
      this.input(name, 'float32', []);
    }
    return name;
  }

  /** The learning rate of a parameter. */
  learningRate({ lrScale = 1 }: OptimiserParameter): string {
    const known = this.#scaled.get(lrScale) ?? this.scale(this.rate('learning_rate'), lrScale);
    this.#scaled.set(lrScale, known);
    return known;
  }

  /** A moment of a parameter, carried from step to step. @returns its new value */
  moment(name: string, { name: weight, dims }: OptimiserParameter, next: (before: string) => string): string {
    const input = this.input(`${name}/${weight}`, 'float32', dims);
    const value = next(input);
    this.carry(value, { input, dims, kind: 'moment', weight });
    return value;
  }

  /** Declares `value` as what the slot's input is to be in the next step. */
  carry(value: string, slot: Omit<StateSlot, 'output'>): void {
    const output = this.output(value, `next/${slot.input}`, 'float32', slot.dims);
    this.state.push({ ...slot, output });
  }
}
