/** How often what a run says of a world is wrong. */
import { Random } from '../../src/base/index.js';
import { compareAll, meanScore } from '../../src/record/index.js';
import { draw, named, type World } from './world.js';

/** Shares of pages, comparisons or methods. */
export interface Rates {
  /** Pages on which any difference has the wrong sign or is none, or any "equal" is more than the margin. */
  readonly falsePages: number;
  /** Comparisons whose own 95 % interval holds the truth. */
  readonly coverage: number;
  /** Pages on which all corrected intervals hold the truth. */
  readonly together: number;
  /** Methods whose accuracy lies in its 95 % interval. */
  readonly scoreCoverage: number;
  /** Verdicts on the pairs that differ, or on all where none does. */
  readonly different: number;
  readonly equal: number;
  readonly undecided: number;
  /** Mean width of a comparison's own interval. */
  readonly width: number;
  /** Median of "about N more test images". */
  readonly more: number | undefined;
  /** Design effect of the accuracy. */
  readonly designEffect: number;
}

/** @param name names the stream of random numbers */
export function ratesOf(name: string, world: World, draws: number): Rates {
  const random = new Random(14, 'calibration', name);
  const accuracies = world.methods.map((m) => m.accuracy);
  const truth = (method: string, reference: string) =>
    (accuracies[Number(method.slice(1))] ?? 0) - (accuracies[Number(reference.slice(1))] ?? 0);
  const some = new Set(accuracies).size > 1;
  const count = {
    falsePages: 0,
    covered: 0,
    together: 0,
    scores: 0,
    pairs: 0,
    different: 0,
    equal: 0,
    undecided: 0,
    asked: 0,
  };
  let [width, designEffect, scored] = [0, 0, 0];
  const more: number[] = [];
  for (let k = 0; k < draws; k++) {
    const run = draw(world, random);
    let [wrong, all] = [false, true];
    for (const c of compareAll(run)) {
      const real = truth(c.method, c.reference);
      const [low, high] = c.interval;
      const [least, most] = c.corrected ?? c.interval;
      if ((c.pCorrected as number) < 0.05 !== (least > 0 || most < 0)) throw new Error(`${name}: p and interval part`);
      if (low <= real && real <= high) count.covered++;
      if (!(least <= real && real <= most)) all = false;
      if ((c.verdict === 'better' && real <= 0) || (c.verdict === 'worse' && real >= 0)) wrong = true;
      if (c.verdict === 'equal' && Math.abs(real) > run.margin + 1e-9) wrong = true;
      width += high - low;
      count.pairs++;
      if (some && real === 0) continue;
      count.asked++;
      if (c.verdict === 'equal') count.equal++;
      else if (c.verdict === 'undecided') count.undecided++;
      else count.different++;
      if (c.moreTestExamples !== undefined) more.push(c.moreTestExamples);
    }
    if (wrong) count.falsePages++;
    if (all) count.together++;
    for (const task of run.tasks) {
      for (const [m, accuracy] of accuracies.entries()) {
        const rows = (task.predictions ?? [])
          .filter((row) => row.method === named(m))
          .map((row) => row.predicted ?? []);
        const labels = task.testLabels ?? [];
        const { interval, effectiveN } = meanScore(rows, { labels, groups: task.testGroups?.map(String) });
        if (interval[0] <= accuracy && accuracy <= interval[1]) count.scores++;
        designEffect += labels.length / effectiveN;
        scored++;
      }
    }
  }
  more.sort((a, b) => a - b);
  return {
    falsePages: count.falsePages / draws,
    coverage: count.covered / count.pairs,
    together: count.together / draws,
    scoreCoverage: count.scores / scored,
    different: count.different / count.asked,
    equal: count.equal / count.asked,
    undecided: count.undecided / count.asked,
    width: width / count.pairs,
    more: more[more.length >> 1],
    designEffect: designEffect / scored,
  };
}
