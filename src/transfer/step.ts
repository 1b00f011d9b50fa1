/** One training step as one engine call: state in, state out. */
import { Random } from '../base/index.js';
import type { TargetKind } from '../data/index.js';
import type { Engine, Program } from '../engine/index.js';
import {
  appendOptimiser,
  type DropoutMask,
  dropoutMask,
  float32,
  type Graph,
  gradient,
  lossNames,
  type Observed,
  type OptimiserParameter,
  observe,
  type RateName,
  type Rates,
  type RunningSlot,
  type StateSlot,
  sizeOf,
  type Tensor,
  type TrainingForm,
  withAverages,
} from '../graph/index.js';
import { withLoss } from './objective.js';
import { optimiserOf } from './optimiser.js';
import type { TrainOptions } from './options.js';

/** A tensor carried from step to step: the optimiser's, or a running average of a norm. */
export type Slot = (StateSlot | (RunningSlot & { readonly kind: 'running' })) & { readonly initial: Tensor };

export interface StepGraph {
  readonly graph: Graph;
  /** Forward pass and loss alone, with the state as inputs: for finding out where values went wrong. */
  readonly forward: Graph;
  readonly slots: readonly Slot[];
  readonly scalars: readonly RateName[];
  readonly masks: readonly (DropoutMask & { readonly dims: readonly number[] })[];
  readonly logits: string;
}

/** Weight that an exported model carries: the average when there is one. */
export function finalWeights(slots: readonly Slot[], state: ReadonlyMap<string, Tensor>): Map<string, Tensor> {
  const result = new Map<string, Tensor>();
  const value = ({ input }: Slot) => state.get(input) as Tensor;
  for (const slot of slots) {
    if (slot.kind === 'running') result.set(slot.input, value(slot));
    if (slot.kind === 'weight') result.set(slot.weight, value(slot));
  }
  for (const slot of slots) if (slot.kind === 'average') result.set(slot.weight, value(slot));
  return result;
}

export interface StepRequest {
  /** What remains to be run in every step; its inputs are declared with their shapes, masks excepted. */
  readonly form: TrainingForm;
  readonly logits: string;
  readonly classes: number;
  readonly target: TargetKind;
  /** The trained constants of `form.graph`. */
  readonly parameters: readonly OptimiserParameter[];
  readonly values: Observed;
  readonly options: Pick<TrainOptions, 'optimiser' | 'learningRate' | 'labelSmoothing' | 'emaDecay' | 'batch'>;
}

/** Builds the step of a network in training form. */
export async function buildStep(
  engine: Engine,
  { form, logits, classes, target, parameters, values, options }: StepRequest,
): Promise<StepGraph> {
  const masks = form.masks
    .filter((mask) => form.graph.inputs.some((i) => i.name === mask.input))
    .map((mask) => ({ ...mask, dims: values.get(mask.value)?.dims ?? [] }));
  const { labelSmoothing, batch } = options;
  const whole = withLoss(form.graph, { target, logits, classes, labelSmoothing });
  const shapes = Object.fromEntries(masks.map((m) => [m.input, m.dims]));
  const truth: Record<string, readonly number[]> =
    target === 'class' ? { [lossNames.labels]: [batch] } : { [lossNames.targets]: [batch, classes] };
  const observed = await observe(whole, engine, { ...shapes, ...truth });
  const wrt = parameters.map((p) => p.name);
  const block = await engine.blockWidth();
  const differentiated = gradient(whole, { loss: lossNames.loss, wrt, observed, block });
  const optimised = appendOptimiser(differentiated, parameters, optimiserOf(options.optimiser));
  const step = options.emaDecay > 0 ? withAverages(optimised, options.emaDecay) : optimised;
  const slots: Slot[] = step.state.map((slot) => ({
    ...slot,
    initial: slot.kind === 'moment' ? zeros(slot.dims) : (form.graph.constants.get(slot.weight) as Tensor),
  }));
  for (const slot of form.running) slots.push({ ...slot, kind: 'running' });
  const inputs = parameters.map(({ name, dims }) => ({ name, type: 'float32' as const, shape: dims }));
  const constants = new Map([...whole.constants].filter(([name]) => !wrt.includes(name)));
  const forward = { ...whole, inputs: [...whole.inputs, ...inputs], constants };
  return { graph: step.graph, forward, slots, scalars: step.scalars, masks, logits };
}

function zeros(dims: readonly number[]): Tensor {
  return float32(dims, new Float32Array(sizeOf(dims)));
}

export interface StepResult {
  loss: number;
  /** Right answers among the batch, in training mode; of classes. */
  correct: number;
}

/** What is true of a batch: classes, or the numbers (batch, outputs). */
export type Truth = Int32Array | Tensor;

const isClasses = (truth: Truth): truth is Int32Array => truth instanceof Int32Array;

/** A compiled step with its state in two sets of buffers that take turns. */
export class StepProgram {
  #state: Map<string, Tensor>;
  #next: Map<string, Tensor>;

  private constructor(
    readonly step: StepGraph,
    private readonly program: Program,
    private readonly seed: number,
  ) {
    this.#state = new Map(step.slots.map((s) => [s.input, copy(s.initial)]));
    this.#next = new Map(step.slots.map((s) => [s.input, zeros(s.dims)]));
  }

  static async compile(engine: Engine, step: StepGraph, seed: number): Promise<StepProgram> {
    return new StepProgram(step, await engine.compile(step.graph, { planMemory: false }), seed);
  }

  /** Current state by slot input; valid until the next step. */
  get state(): ReadonlyMap<string, Tensor> {
    return this.#state;
  }

  /** Back to what training starts from. */
  reset(): void {
    for (const { input, initial } of this.step.slots) {
      ((this.#state.get(input) as Tensor).data as Float32Array).set(initial.data as Float32Array);
    }
  }

  /** Replaces the state by a checkpoint's. */
  restore(state: ReadonlyMap<string, Tensor>): void {
    for (const [name, tensor] of this.#state) {
      const saved = state.get(name);
      if (saved) (tensor.data as Float32Array).set(saved.data as Float32Array);
    }
  }

  /** Everything that one step reads beside state: images or activations, labels, rates and masks. */
  feeds(index: number, data: Readonly<Record<string, Tensor>>, truth: Truth, rates: Rates): Record<string, Tensor> {
    const feeds: Record<string, Tensor> = { ...data };
    if (isClasses(truth))
      feeds[lossNames.labels] = { type: 'int64', dims: [truth.length], data: BigInt64Array.from(truth, BigInt) };
    else feeds[lossNames.targets] = truth;
    for (const name of this.step.scalars) feeds[name] = float32([], [rates[name] ?? 0]);
    for (const { input, ratio, dims } of this.step.masks) {
      feeds[input] = dropoutMask(new Random(this.seed, 'dropout', index, input), dims, ratio);
    }
    return feeds;
  }

  /** Runs one step. The state moves on only when the loss is finite. */
  async run(feeds: Readonly<Record<string, Tensor>>, truth: Truth): Promise<StepResult> {
    const all: Record<string, Tensor> = { ...feeds };
    const into: Record<string, Tensor> = {};
    for (const { input, output } of this.step.slots) {
      all[input] = this.#state.get(input) as Tensor;
      into[output] = this.#next.get(input) as Tensor;
    }
    const { logits } = this.step;
    const results = await this.program.run(all, [lossNames.loss, logits], into);
    const loss = (results[lossNames.loss] as Tensor).data[0] as number;
    if (Number.isFinite(loss)) [this.#state, this.#next] = [this.#next, this.#state];
    const scores = (results[logits] as Tensor).data as Float32Array;
    return { loss, correct: isClasses(truth) ? countCorrect(scores, truth) : 0 };
  }

  dispose(): Promise<void> {
    return this.program.dispose();
  }
}

function copy(tensor: Tensor): Tensor {
  return float32(tensor.dims, (tensor.data as Float32Array).slice());
}

function countCorrect(logits: Float32Array, labels: Int32Array): number {
  const classes = logits.length / labels.length;
  let correct = 0;
  labels.forEach((label, i) => {
    let best = 0;
    for (let k = 1; k < classes; k++) {
      if ((logits[i * classes + k] as number) > (logits[i * classes + best] as number)) best = k;
    }
    if (best === label) correct++;
  });
  return correct;
}
