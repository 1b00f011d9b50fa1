/**
 * All papers' questions on one network, task by task: probes by depth, on all layers and on a selection (Head2Toe), layers
 * copied and frozen or trained further up to a quarter, half and three quarters of the depth (Yosinski et al., 2014),
 * fine-tuning and training from scratch; with domain affinity, and what each paper would have advised.
 */
import { copyMethods } from '../catalogue.js';
import { probeBudget, trainBudget } from '../config/budgets.js';
import { head2toe } from './head2toe.js';
import type { Protocol } from './protocol.js';

const methods = ['linear', 'best-tap', 'all-l2', 'auto', 'head2toe', ...copyMethods, 'finetune', 'scratch'];

export const compare: Protocol = {
  ...head2toe,
  name: 'compare',
  about: 'probes, selections, copied layers, fine-tuning and scratch on one page',
  full: {
    ...head2toe.full,
    methods,
    control: false,
    probe: { ...probeBudget.full, rankWindows: false },
    train: trainBudget.full,
  },
  lite: { ...head2toe.lite, methods },
};
