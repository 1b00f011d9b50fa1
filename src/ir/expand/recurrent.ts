/**
 * Recurrent layers, unrolled over their steps: one product for all inputs, then a product with the state at each step.
 * Source of the equations: Hochreiter & Schmidhuber (1997) with the forget gate of Gers et al. (2000), Cho et al. (2014).
 */

import type { Emitter } from '../emitter.js';
import { intAttribute, stringAttribute } from '../graph.js';
import type { Expansion, ExpansionContext } from './expansion.js';

type Activation = (x: string) => string;

/** What a kind of layer does at one step. */
interface Cell {
  /** Blocks of the weights, each of the state's width. */
  readonly gates: number;
  readonly activations: readonly string[];
  /** States that are carried on: the hidden one and, in an LSTM, the cell's. */
  readonly states: 1 | 2;
  readonly step: (s: Step) => readonly string[];
}

interface Step {
  readonly e: Emitter;
  readonly node: ExpansionContext['node'];
  /** Input times weights plus biases, (batch, gates x width); a GRU's without the recurrent biases. */
  readonly input: string;
  /** (batch, width) each. */
  readonly states: readonly string[];
  /** Recurrent weights (gates x width, width). */
  readonly weights: string;
  /** Recurrent biases (gates x width); '' where there are none. */
  readonly bias: string;
  /** Peephole weights (3 x width); '' where there are none. */
  readonly peepholes: string;
  readonly width: number;
  readonly activations: readonly Activation[];
}

const product = ({ e, states, weights }: Step) => e.gemm(states[0] as string, weights, { transB: true });
/** Block `i` along the last axis. */
const block = ({ e, width }: Step, x: string, i: number) => e.slice(x, e.rank(x) - 1, i * width, (i + 1) * width);
const activate = ({ activations }: Step, i: number, x: string) => (activations[i] as Activation)(x);

const lstmCell: Cell = {
  gates: 4,
  activations: ['Sigmoid', 'Tanh', 'Tanh'],
  states: 2,
  step: (s) => {
    const { e, node, peepholes } = s;
    const sums = e.add(s.input, product(s));
    const cell = s.states[1] as string;
    const seeing = (sum: string, i: number, of: string) =>
      peepholes ? e.add(sum, e.mul(of, block(s, peepholes, i))) : sum;
    const input = activate(s, 0, seeing(block(s, sums, 0), 0, cell));
    const isCoupled = intAttribute(node, 'input_forget', 0) === 1;
    const forget = isCoupled ? e.sub(e.scalar(1), input) : activate(s, 0, seeing(block(s, sums, 2), 2, cell));
    const next = e.add(e.mul(forget, cell), e.mul(input, activate(s, 1, block(s, sums, 3))));
    const output = activate(s, 0, seeing(block(s, sums, 1), 1, next));
    return [e.mul(output, activate(s, 2, next)), next];
  },
};

const gruCell: Cell = {
  gates: 3,
  activations: ['Sigmoid', 'Tanh'],
  states: 1,
  step: (s) => {
    const { e, node, width } = s;
    const hidden = s.states[0] as string;
    const rows = (from: number, to: number) => e.slice(s.weights, 0, from * width, to * width);
    const recurrent = (x: string, from: number, to: number) => {
      const sum = e.gemm(x, rows(from, to), { transB: true });
      return s.bias ? e.add(sum, e.slice(s.bias, 0, from * width, to * width)) : sum;
    };
    const gates = e.add(e.slice(s.input, 1, 0, 2 * width), recurrent(hidden, 0, 2));
    const update = activate(s, 0, block(s, gates, 0));
    const reset = activate(s, 0, block(s, gates, 1));
    const state = intAttribute(node, 'linear_before_reset', 0)
      ? e.mul(reset, recurrent(hidden, 2, 3))
      : recurrent(e.mul(reset, hidden), 2, 3);
    const next = activate(s, 1, e.add(block(s, s.input, 2), state));
    return [e.add(next, e.mul(update, e.sub(hidden, next)))];
  },
};

const rnnCell: Cell = {
  gates: 1,
  activations: ['Tanh'],
  states: 1,
  step: (s) => [activate(s, 0, s.e.add(s.input, product(s)))],
};

function activationOf(c: ExpansionContext, name: string): Activation {
  const { e } = c;
  switch (name.toLowerCase()) {
    case 'sigmoid':
      return (x) => e.unary('Sigmoid', x);
    case 'tanh':
      return (x) => e.unary('Tanh', x);
    case 'relu':
      return (x) => e.unary('Relu', x);
    case 'softsign':
      return (x) => e.emit('Softsign', [x], e.dims(x));
    case 'softplus':
      return (x) => e.unary('Softplus', x);
    default:
      return c.unsupported(`activation ${name}`);
  }
}

/** Inputs X (steps, batch, inputs), W, R, B, lengths, the first states, and an LSTM's peepholes. */
const recurrent =
  (cell: Cell): Expansion =>
  (c) => {
    const { e, node } = c;
    check(c);
    const [steps, batch] = c.dims() as [number, number];
    const width = e.dims(c.x(2))[2] as number;
    const direction = stringAttribute(node, 'direction', 'forward');
    const directions = direction === 'bidirectional' ? [false, true] : [direction === 'reverse'];
    const given = node.attributes.activations;
    const names = given?.kind === 'strings' ? given.value : [];

    const runs = directions.map((isReverse, d) => {
      const of = (i: number) => (c.has(i) ? drop(e, e.slice(c.x(i), 0, d, d + 1)) : '');
      const each = cell.activations.length;
      const chosen = names.length > 0 ? names.slice(d * each, (d + 1) * each) : cell.activations;
      const activations = chosen.map((name) => activationOf(c, name));
      const size = cell.gates * width;
      const [own, bias] = c.has(3) ? [e.slice(of(3), 0, 0, size), e.slice(of(3), 0, size, 2 * size)] : ['', ''];
      // A GRU adds its recurrent biases itself.
      const biases = own && bias && cell !== gruCell ? e.add(own, bias) : own;
      const products = e.matmul(c.x(), e.transpose(of(1), [1, 0]));
      const inputs = unstack(e, biases ? e.add(products, biases) : products);
      const first = (i: number) => of(i) || e.zeros([batch, width]);
      let states: readonly string[] = cell.states === 2 ? [first(5), first(6)] : [first(5)];
      const hidden = Array<string>(steps);
      const order = [...inputs.keys()];
      const peepholes = cell.states === 2 ? of(7) : '';
      const shared = { e, node, weights: of(2), bias, peepholes, width, activations };
      for (const t of isReverse ? order.reverse() : order) {
        const input = inputs[t] as string;
        states = cell.step({ ...shared, input, states });
        hidden[t] = states[0] as string;
      }
      return { hidden, states };
    });

    if (c.wants(0)) {
      const stacked = runs.map(({ hidden }) =>
        e.concat(
          hidden.map((h) => e.reshape(h, [1, 1, batch, width])),
          0,
        ),
      );
      c.put(0, e.concat(stacked, 1));
    }
    for (const i of cell.states === 2 ? [1, 2] : [1]) {
      if (!c.wants(i)) continue;
      c.put(
        i,
        e.concat(
          runs.map(({ states }) => e.reshape(states[i - 1] as string, [1, batch, width])),
          0,
        ),
      );
    }
  };

function check(c: ExpansionContext): void {
  const { node } = c;
  const [steps] = c.dims();
  if (intAttribute(node, 'layout', 0) !== 0) c.unsupported('layout 1');
  if (node.attributes.clip) c.unsupported('clip');
  const lengths = c.numbers(4, 'lengths of sequences');
  if (lengths?.some((length) => length !== steps)) c.unsupported('sequences of different lengths');
}

/** Takes the first axis, of size one, away. */
const drop = (e: Emitter, x: string) => e.reshape(x, e.dims(x).slice(1));

/** The values along the first axis. */
function unstack(e: Emitter, x: string): string[] {
  const [steps, ...rest] = e.dims(x) as [number, ...number[]];
  if (steps === 1) return [e.reshape(x, rest)];
  const parts = Array.from({ length: steps }, () => e.value('Split', [1, ...rest]));
  e.node('Split', [x, e.ints(parts.map(() => 1))], parts, { axis: 0 });
  return parts.map((part) => e.reshape(part, rest));
}

export const lstm = recurrent(lstmCell);
export const gru = recurrent(gruCell);
export const rnn = recurrent(rnnCell);
