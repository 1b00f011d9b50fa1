/** The one place where predictions meet labels. */
import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { WorkError } from '../../src/base/index.js';
import { classPredictions, score, truthKey } from '../../src/record/index.js';

const targets = { kind: 'class', classes: ['a', 'b'], labels: [0, 0, 1, 1] } as const;

describe('truthKey', () => {
  const hash = (text: string) => createHash('sha256').update(text).digest('hex');
  it('is the hash of labels or values with groups, in the form that units of studies are named by', () => {
    const { labels, classes } = targets;
    expect(truthKey({ ...targets, labels: Int32Array.from(labels) })).toBe(hash('{"labels":[0,0,1,1]}'));
    expect(truthKey({ kind: 'class', classes, labels, groups: ['p', 'p', 'q', 'r'] })).toBe(
      hash('{"groups":["p","p","q","r"],"labels":[0,0,1,1]}'),
    );
    const valued = { kind: 'regression', outputs: ['value'], values: Float64Array.of(1, 2.5, -3) } as const;
    expect(truthKey(valued)).toBe(hash('{"groups":null,"values":[1,2.5,-3]}'));
    expect(truthKey({ ...valued, groups: ['p', 'p', 'q'] })).toBe(hash('{"groups":["p","p","q"],"values":[1,2.5,-3]}'));
  });
});

describe('score', () => {
  it('counts right answers and averages over classes', () => {
    const { accuracy, meanPerClass, confusion, n } = score(
      { kind: 'class', predicted: Int32Array.of(0, 1, 1, 1) },
      targets,
    );
    expect({ accuracy, meanPerClass, n }).toEqual({ accuracy: 0.75, meanPerClass: 0.75, n: 4 });
    expect(confusion).toEqual([
      [1, 1],
      [0, 2],
    ]);
  });

  it('measures log loss and calibration where there are probabilities, and leaves them out where not', () => {
    const probabilities = Float64Array.of(0.8, 0.2, 0.4, 0.6, 0.1, 0.9, 0.3, 0.7);
    const scored = score(classPredictions(probabilities, 2), targets);
    expect(scored.logLoss).toBeCloseTo(-(Math.log(0.8) + Math.log(0.4) + Math.log(0.9) + Math.log(0.7)) / 4, 12);
    expect(scored.calibrationError).toBeGreaterThan(0);
    expect('logLoss' in score({ kind: 'class', predicted: Int32Array.of(0, 1, 1, 1) }, targets)).toBe(false);
  });

  it('has balanced accuracy and macro F1, with an interval of the first by group', () => {
    const labels = [...new Array(40).fill(0), ...new Array(10).fill(1)];
    const predicted = labels.map((c, i) => (i % 5 === 0 ? 1 - c : c));
    const own = (groups?: string[]) => score({ kind: 'class', predicted }, { ...targets, labels, groups });
    const { accuracy, meanPerClass, macroF1, meanPerClassInterval: alone } = own();
    expect([accuracy, meanPerClass]).toEqual([0.8, 0.8]);
    // Precision .94 and .5, recall .8 and .8.
    expect(macroF1).toBeCloseTo(((2 * 32) / (34 + 40) + (2 * 8) / (16 + 10)) / 2, 12);
    expect(alone[0] < 0.8 && 0.8 < alone[1]).toBe(true);
    // Ten rows of one group say less than ten rows.
    const { meanPerClassInterval: grouped } = own(labels.map((c, i) => `${c} ${Math.floor(i / 5)}`));
    expect(grouped[1] - grouped[0]).not.toBe(alone[1] - alone[0]);
  });

  it('refuses predictions of other examples', () => {
    expect(() => score({ kind: 'class', predicted: Int32Array.of(0) }, targets)).toThrow(WorkError);
  });
});
