// Is one probe better than another? Both say what they see on the same images; the difference has an interval of its own.
import { extract, fit, load } from 'toehold';
import { PairedDifference, wilsonInterval } from 'toehold/stats';
import { drawnImages } from 'toehold/study';

const model = await load('assets/demo/figures.onnx');
const [train, test] = [drawnImages('orientation', 'train', 160), drawnImages('orientation', 'test', 200)];
const [X, unseen] = [await extract(model, train.images), await extract(model, test.images)];
const right = [];
const shown = (interval) => interval.map((end) => end.toFixed(3)).join(' to ');
for (const method of ['linear', 'all-ridge']) {
  const predicted = await (await fit(X, train.labels, { method })).predict(unseen);
  right.push(predicted.map((label, i) => (label === test.labels[i] ? 1 : 0)));
  const hits = right.at(-1).filter((one) => one).length;
  console.log(method, hits / 200, 'in', shown(wilsonInterval(hits, 200)));
}
const difference = new PairedDifference({ runs: [right[1]] }, { runs: [right[0]] });
console.log(
  'all-ridge less linear',
  difference.difference,
  'in',
  shown(difference.interval()),
  'p',
  difference.p.toFixed(2),
);
