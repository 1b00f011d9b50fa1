/** Losses of linear models: one interface, three of them. */
export { bernoulli, labelEntropy, logisticLoss } from './bernoulli.js';
export type { Fitted, Loss, Scored, Targets, Totals } from './loss.js';
export { multinomial } from './multinomial.js';
export { squared } from './squared.js';
