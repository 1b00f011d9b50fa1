// A probe on numbers of your own: rows and labels in, an estimator out; its penalty is chosen by cross-validation.
import { fit } from 'toehold';

const y = Array.from({ length: 300 }, (_, i) => (i % 2 === 0 ? 'cat' : 'dog'));
const X = y.map((label, i) => [Math.sin(i) + (label === 'cat' ? 1 : 0), Math.cos(7 * i), Math.sin(3 * i)]);
const probe = await fit(X.slice(0, 200), y.slice(0, 200), { method: 'all-l2', normalisation: 'standard' });
const { accuracy, interval } = await probe.score(X.slice(200), y.slice(200));
console.log(probe.tuned, await probe.predict(X.slice(0, 3)));
console.log(accuracy, 'in', interval.map((end) => end.toFixed(2)).join(' to '));
