/**
 * Makes study.json (version 1 of the record) from what version 0.1 published of this run: the page, whose figures carry
 * their numbers, and cells.csv. Run once: study.json of that run was not kept.
 *   git archive 9273c48 docs/results/head2toe | tar -x -C OLD
 *   node docs/results/head2toe-0.1/recover.mjs OLD/docs/results/head2toe > docs/results/head2toe-0.1/study.json
 * Lost: the predictions of single test images (of Head2Toe the confusion counts are left, and are written as predictions
 * in an order of their own), the settings of each cell, the names of taps in the model file. Rounded as the page printed
 * them: lambda and objective of the path, the Jaccard indices, the duration of the run.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';

const folder = process.argv[2];
const page = readFileSync(join(folder, 'report.html'), 'utf8');
const { figures } = JSON.parse(between(page, '<script type="application/json" id="specs">', '</script>'));
const cells = csv(readFileSync(join(folder, 'cells.csv'), 'utf8'));

function between(text, from, to) {
  const start = text.indexOf(from) + from.length;
  if (start < from.length) throw new Error(`the page has no ${from}`);
  return text.slice(start, text.indexOf(to, start));
}
function csv(text) {
  const rows = text.trim().split('\n').map((line) => [...line.matchAll(/("[^"]*"|[^,]*)(?:,|$)/g)].map((m) => m[1].replaceAll('"', '')));
  return rows.slice(1).map((row) => Object.fromEntries(rows[0].map((title, i) => [title, row[i]])));
}
const plain = (html) => html.replace(/<[^>]+>/g, '').replace(/&#(\d+);/g, (_, code) => String.fromCharCode(code));
/** Rows of the table whose caption starts so, as texts. */
function table(caption) {
  const found = [...page.matchAll(/<table><caption>([\s\S]*?)<\/caption>[\s\S]*?<tbody>([\s\S]*?)<\/tbody>/g)].find((m) => plain(m[1]).startsWith(caption));
  return [...found[2].matchAll(/<tr[^>]*>([\s\S]*?)<\/tr>/g)].map((row) => [...row[1].matchAll(/<t[hd][^>]*>([\s\S]*?)<\/t[hd]>/g)].map((c) => plain(c[1])));
}
/** Literal data of a figure: the n-th data set that has any. */
const data = (id, n = 0) => figures[id].data.filter((d) => d.values)[n].values;
const number = (text) => Number(text.replace('−', '-'));

const facts = Object.fromEntries([...page.matchAll(/<dt>([\s\S]*?)<\/dt><dd>([\s\S]*?)<\/dd>/g)].map((m) => [plain(m[1]), plain(m[2])]));
const names = [...new Set(data('accuracy').map((row) => row.task))];
const slug = (task) => task.replace(/[^a-z0-9.-]+/g, '-');

function classesOf(task) {
  const id = `confusion-${slug(task)}`;
  const count = figures[id].scales.find((s) => s.name === 'y').domain.length;
  const classes = Array.from({ length: count }, (_, i) => `class ${i}`);
  for (const { i, j, truth, predicted } of data(id)) [classes[i], classes[j]] = [truth, predicted];
  return classes;
}

/** True and predicted classes with the counts of the confusion matrix. */
function predictionsOf(task) {
  const pairs = data(`confusion-${slug(task)}`).flatMap(({ i, j, count }) => Array(count).fill([i, j]));
  return {
    labels: pairs.map(([truth]) => truth),
    methods: [{ method: 'head2toe', seed: 0, predicted: pairs.map(([, predicted]) => predicted) }],
  };
}

function methodsOf(task) {
  const costs = new Map(data(`cost-${slug(task)}`).map((row) => [row.method, row]));
  return data('accuracy')
    .filter((row) => row.task === task)
    .map(({ method, label, accuracy, low, high }) => {
      const { macs, bytes, seconds } = costs.get(method);
      const { validation, features, layers } = cells.find((c) => c.task === task && c.method === label);
      return {
        status: 'done',
        method,
        accuracy,
        interval: [low, high],
        seconds,
        cost: { trainMacs: macs, storedBytes: bytes },
        ...(validation ? { validation: Number(validation) } : {}),
        ...(features ? { features: Number(features), taps: Number(layers) } : {}),
      };
    });
}

function tapsOf(task) {
  const probes = data(`depth-${slug(task)}`, 2);
  return data('network', 2)
    .filter((row) => row.task === task)
    .map(({ tap, features, kept, share }) => {
      const own = probes.filter((p) => p.tap === tap);
      const accuracy = (series) => own.find((p) => p.series === series).accuracy;
      return {
        alias: tap,
        depth: own[0].depth,
        features,
        accuracyAlone: accuracy('this layer alone'),
        accuracyWithLast: accuracy('this layer and the last'),
        kept,
        share,
      };
    });
}

/** The figure draws gaps down to 1e-9; below, the table has two digits. */
function pathOf(task) {
  const printed = table(`${task}: the λ path`);
  return data(`path-${slug(task)}`).map(({ ratio, nonzero, gap, inactive }, i) => ({
    lambda: number(printed[i][0]),
    ratio,
    objective: number(printed[i][2]),
    gap: gap > 1e-9 ? gap : number(printed[i][3]),
    nonzero,
    ...(inactive === undefined ? {} : { inactiveShare: inactive }),
  }));
}

function stabilityOf(task) {
  const [, repeats, over] = page.match(/Features by how many of (\d+) (seeds|folds|bootstrap)/);
  const [, jaccard, chance] = page.match(new RegExp(`${task}: Jaccard index ([\\d.]+), chance ([\\d.]+)`));
  return {
    repeats: Number(repeats),
    over,
    jaccard: Number(jaccard),
    chance: Number(chance),
    frequencies: data(`stability-${slug(task)}`).map(({ times, features }) => ({ times, features })),
  };
}

function thumbnailsOf(task) {
  const ids = { Linear: 'linear', Head2Toe: 'head2toe' };
  const panel = between(between(page, 'id="fig-examples"', '</figure>'), `data-task="${task}"`, '</div>');
  return panel.split('<p class="finding">').slice(1).flatMap((group) => {
    const [, right, wrong] = group.match(/^(\S+) right, (\S+) wrong/);
    return [...group.matchAll(/<img src="([^"]+)" alt="([^,]+), a [^"]*"[^>]*><span>([\s\S]*?)<\/span><s>([\s\S]*?)<\/s>/g)].map(
      ([, image, file, label, mistaken]) => ({
        image,
        file: plain(file),
        label: plain(label),
        predictions: { [ids[right]]: plain(label), [ids[wrong]]: plain(mistaken) },
      }),
    );
  });
}

function taskOf(task) {
  const id = slug(task);
  const methods = methodsOf(task);
  const accuracy = (method) => methods.find((m) => m.method === method).accuracy;
  const predictions = predictionsOf(task);
  return {
    task,
    backbone: facts.backbone,
    classes: classesOf(task),
    examples: { train: 1000, test: predictions.labels.length },
    domainAffinity: accuracy('linear') - accuracy('scratch'),
    methods,
    predictions,
    taps: tapsOf(task),
    path: pathOf(task),
    chosenRatio: data(`path-${id}`, 1)[0].ratio,
    gapTolerance: data(`path-${id}`, 2)[0].gap,
    keepFraction: data(`keep-fraction-${id}`).map(({ fraction, features, accuracy }) => ({ fraction, features, accuracy })),
    keepFractionSplit: 'validation',
    chosenFraction: data(`keep-fraction-${id}`, 2)[0].fraction,
    rankWindows: data(`rank-windows-${id}`).map(({ offset, end, accuracy, low, high }) => ({
      offset,
      size: end - offset,
      accuracy,
      interval: [low, high],
    })),
    stability: stabilityOf(task),
    thumbnails: thumbnailsOf(task),
  };
}

const [, done, total, failed] = facts.units.match(/(\d+) of (\d+) done, (\d+) failed/);
const [, hours, minutes] = facts.time.match(/(\d+) h (\d+) min/);
const [engine, ...device] = facts.engine.split(', ');
const config = parse(plain(between(page, 'Resolved configuration</summary><pre tabindex="0"><code>', '</code>')));
const scaledDown = plain(between(page, '<strong>Scaled down.</strong> ', '</p>')).split(/(?<=\.) /);
const fingerprints = [...between(page, 'aria-label="Fingerprints">', '</table>').matchAll(/<th scope="row">([\s\S]*?)<\/th><td><code>([\s\S]*?)<\/code>/g)];

process.stdout.write(
  `${JSON.stringify({
    format: 'toehold-study',
    version: 1,
    title: plain(between(page, '<p class="eyebrow">', '</p>')),
    protocol: facts.protocol,
    backbone: facts.backbone,
    run: {
      command: plain(between(page, '<pre tabindex="0"><code>', '</code>')),
      startedAt: facts.started,
      config,
      versions: Object.fromEntries(facts.versions.split(', ').map((v) => [v.slice(0, v.indexOf(' ')), v.slice(v.indexOf(' ') + 1)])),
      engine,
      device: device.join(', '),
      fingerprints: fingerprints.map(([, name, sha256]) => ({ name: plain(name), sha256 })),
      seeds: facts.seeds.split(', ').map(Number),
      labelBudget: facts.labels,
      scaledDown,
    },
    units: { total: Number(total), done: Number(done), failed: Number(failed), cached: 0 },
    seconds: 3600 * Number(hours) + 60 * Number(minutes),
    tasks: names.map(taskOf),
  })}\n`,
);
