// The rooms that the verbs are built of are subpaths. Here: is one classifier better than another on the same examples?
import { PairedDifference, wilsonInterval } from 'toehold/stats';

const first = Array.from({ length: 200 }, (_, i) => (i % 10 < 8 ? 1 : 0));
const second = Array.from({ length: 200 }, (_, i) => (i % 10 < 8 && i % 7 > 0 ? 1 : 0));
console.log(
  'first',
  wilsonInterval(160, 200),
  'second',
  wilsonInterval(
    second.reduce((a, b) => a + b),
    200,
  ),
);
const difference = new PairedDifference({ runs: [first] }, { runs: [second] });
console.log(difference.difference, difference.interval(), difference.p);
