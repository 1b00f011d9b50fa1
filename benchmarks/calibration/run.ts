/**
 * How often what toehold says is wrong, in worlds whose truth is known. Writes the tables of docs/statistics.md and
 * docs/calibration.json. Seeded: the same code writes the same bytes.
 *
 *   npm run bench:calibration [-- --draws 400]
 */
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { Random, writeFileAtomic } from '../../src/base/index.js';
import { createOnnxRuntime } from '../../src/engine/index.js';
import { compareAll } from '../../src/record/index.js';
import { type Rates, ratesOf } from './rates.js';
import { gains, nulls } from './scenarios.js';
import { selectionRates } from './selection.js';
import { trendCoverage } from './trend.js';
import { draw, type World } from './world.js';

const { values } = parseArgs({ options: { draws: { type: 'string', default: '400' } } });
const draws = Number(values.draws);
const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const percent = (share: number) => (100 * share).toFixed(1);
const table = (head: readonly string[], rows: readonly (readonly string[])[]) =>
  [head, head.map((_, i) => (i === 0 ? '---' : '--:')), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');

/** Pages that are undecided and say "about N more": how often as many more do decide. */
function decidedWithMore(world: World, count: number): { asked: number; decided: number } {
  const random = new Random(14, 'calibration', 'more');
  const sampled = (examples: World['examples']) =>
    compareAll(draw({ ...world, examples }, random))[0] ?? { verdict: 'undecided' as const };
  let [asked, decided] = [0, 0];
  for (let k = 0; k < count; k++) {
    const first = sampled(world.examples);
    const more = 'moreTestExamples' in first ? first.moreTestExamples : undefined;
    // Beyond this nobody labels, and the simulation would take long.
    if (first.verdict !== 'undecided' || more === undefined || more > 20_000) continue;
    asked++;
    if (sampled({ ...world.examples, n: world.examples.n + more }).verdict !== 'undecided') decided++;
  }
  return { asked, decided };
}

const note = (what: string) => process.stderr.write(`${what}\n`);
const measured = <S extends { name: string; world: World; gain?: number }>(scenarios: readonly S[]) =>
  scenarios.map((scenario) => {
    note(scenario.name);
    return { ...scenario, rates: ratesOf(`${scenario.name} ${scenario.gain ?? 0}`, scenario.world, draws) };
  });

const ofNulls = measured(nulls);
const ofGains = measured(gains);
note('more examples');
const more = decidedWithMore({ examples: { n: 400 }, methods: [{ accuracy: 0.85 }, { accuracy: 0.88 }] }, draws / 4);
note('correlations');
const trends = [5, 8, 20].flatMap((tasks) =>
  [0, 0.5, 0.9].map((r) => ({ tasks, r, coverage: trendCoverage(tasks, r, 10 * draws) })),
);
note('selection');
const selections = await selectionRates(await createOnnxRuntime({ threads: 1 }), Math.round(draws / 50));

const cells = (r: Rates) => [percent(r.falsePages), percent(r.coverage), percent(r.together), percent(r.scoreCoverage)];
const text = `${[
  `Shares in %, over ${draws} drawn runs a row (standard error of a 5 %: ${percent(Math.sqrt((0.05 * 0.95) / draws))}).`,
  '**Nothing is better.** False: runs with any false claim. Difference, accuracy: 95 % intervals that hold the truth. Together: runs all of whose corrected intervals do. The interval of a trained method that ran once is that of its run: it misses what the method would score on average.',
  table(
    ['world', 'false', 'difference', 'together', 'accuracy', 'design effect'],
    ofNulls.map(({ name, promised, rates }) => [
      promised === false ? `${name} (not promised)` : name,
      ...cells(rates),
      rates.designEffect.toFixed(1),
    ]),
  ),
  '**One method is better than another of 85 %**, margin 1 point. False: the sign is wrong, or "equal" at a gain beyond the margin. More: median of "about N more test images" of the undecided.',
  table(
    ['gain, test set', 'better', 'equal', 'undecided', 'false', 'difference', 'more'],
    ofGains.map(({ name, gain, rates: r }) => [
      `${Math.round(100 * gain)} ${gain === 0.01 ? 'point' : 'points'}, ${name}`,
      ...[r.different, r.equal, r.undecided, r.falsePages, r.coverage].map(percent),
      r.more === undefined ? '' : r.more.toLocaleString('en'),
    ]),
  ),
  `With the number of images that "about N more" names, ${percent(more.decided / more.asked)} % of the undecided runs (3 points, n 400, N up to 20,000) are decided: N is where the interval just suffices if the difference seen is the true one.`,
  '**Correlation over tasks**: 95 % intervals that hold the true r.',
  table(
    ['tasks', ...[0, 0.5, 0.9].map((r) => `r = ${r}`)],
    [5, 8, 20].map((tasks) => [`${tasks}`, ...trends.filter((t) => t.tasks === tasks).map((t) => percent(t.coverage))]),
  ),
  '**Few of many features carry signal**: features that a group lasso selects in at least 90 % of complementary halves (300 examples, 5 pairs, 20 features a half), and among as many of one fit.',
  table(
    ['world', 'true features found', 'false ones', 'bound on false ones', 'false in one fit'],
    selections.map((s) => [
      s.name,
      s.found.toFixed(1),
      s.wrong.toFixed(2),
      s.bound.toFixed(2),
      s.wrongInOne.toFixed(1),
    ]),
  ),
].join('\n\n')}\n`;

const doc = here('../../docs/statistics.md');
const [start, end] = ['<!-- calibration: written by npm run bench:calibration -->', '<!-- /calibration -->'];
const page = await readFile(doc, 'utf8');
const [before, rest] = page.split(start);
const after = rest?.split(end)[1];
if (before === undefined || after === undefined) throw new Error(`docs/statistics.md: no ${start} ... ${end}`);
await writeFileAtomic(doc, `${before}${start}\n${text}${end}${after}`);
const plain = (scenarios: readonly { name: string; rates: Rates }[]) =>
  scenarios.map(({ name, rates }) => ({ name, ...rates }));
await writeFileAtomic(
  here('../../docs/calibration.json'),
  `${JSON.stringify({ draws, nulls: plain(ofNulls), gains: ofGains.map((g) => ({ gain: g.gain, ...g.rates, name: g.name })), more, trends, selections }, null, 1)}\n`,
);
const broken = ofNulls.filter(
  ({ promised, rates }) => promised !== false && rates.falsePages > 0.05 + 2.6 * Math.sqrt((0.05 * 0.95) / draws),
);
for (const { name, rates } of broken) note(`false claims ${percent(rates.falsePages)} %: ${name}`);
process.exitCode = broken.length > 0 ? 1 : 0;
