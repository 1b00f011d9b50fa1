/** Dropout: the identity at inference; in training the mask of the forward pass is applied to the gradient. */
import { toNumbers } from '../../../ir/index.js';
import type { Rule, RuleContext, RuleTable } from './rule.js';

function isTraining(c: RuleContext): boolean {
  if (!c.has(2)) return false;
  const mode = c.constants.get(c.x(2));
  if (!mode) c.unsupported('a training_mode that is not a constant');
  return toNumbers(mode)[0] === 1;
}

const dropout: Rule = {
  forward: (c) => {
    const { e, node } = c;
    if (!isTraining(c)) {
      e.append(node);
      return;
    }
    const mask = c.secondOutput('Mask');
    c.saved.set('mask', mask);
    e.append({ ...node, outputs: [c.y(), mask] });
  },
  backward: (c) => {
    const mask = c.saved.get('mask');
    if (!mask) return [c.dy()];
    const ratio = c.has(1) ? (c.numbers(1, 'ratio')?.[0] as number) : 0.5;
    return [c.e.scale(c.e.mul(c.dy(), c.e.toFloat(mask)), 1 / (1 - ratio))];
  },
};

export const dropping: RuleTable = { Dropout: dropout };
