/**
 * The one table of rules. To differentiate one more operator: one line in the table of its family, and one row in
 * test/graph/gradient/rules.test.ts, which fails while an operator here has none.
 */
import { UserError } from '../../../base/index.js';
import { expansions, type Node, nodeLabel } from '../../../ir/index.js';
import { arithmetic } from './arithmetic.js';
import { convolution } from './convolution.js';
import { dropping } from './dropout.js';
import { elementwise } from './elementwise.js';
import { products } from './matmul.js';
import { normalisation } from './normalisation.js';
import { pooling } from './pooling.js';
import { reduction } from './reduction.js';
import { resizing } from './resize.js';
import type { Rule, RuleTable } from './rule.js';
import { shape } from './shape.js';

const table: RuleTable = {
  ...elementwise,
  ...arithmetic,
  ...reduction,
  ...shape,
  ...products,
  ...convolution,
  ...normalisation,
  ...pooling,
  ...resizing,
  ...dropping,
};

/** Operators that can be differentiated: by a rule, or as what they are made of. */
export const differentiableOps: readonly string[] = [...Object.keys(table), ...Object.keys(expansions)].sort();

/** Operators of com.microsoft that mean what the standard one of the same name means. */
const sameInContrib = new Set(['Gelu']);

/** @throws UserError when the operator has no rule, naming it and the node. */
export function ruleOf(node: Node): Rule {
  const standard = node.domain === '' || node.domain === 'ai.onnx';
  const known = standard || (node.domain === 'com.microsoft' && sameInContrib.has(node.op));
  const rule = known && Object.hasOwn(table, node.op) ? table[node.op] : undefined;
  if (!rule) {
    const op = node.domain ? `${node.domain}.${node.op}` : node.op;
    throw new UserError(
      `operator ${op} of node '${nodeLabel(node)}' cannot be differentiated; freeze the layers up to it, or choose another backbone`,
    );
  }
  return typeof rule === 'function' ? { backward: rule } : rule;
}
