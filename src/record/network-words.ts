/** What a run that compares networks says in sentences: its headline, and the lines below it. */
import { capital, list, percent } from './format.js';
import {
  type NetworkRun,
  type Setting,
  type SettingPair,
  type SourceTrend,
  settingPairs,
  transferSettings,
} from './networks.js';
import type { RunRecord } from './schema.js';

const fixed = (v: number) => v.toFixed(2).replace('-', '−');

/** "r = 0.92 [0.31, 0.99] over 5 networks pretrained on ImageNet". */
export function trendWords({ source, points, r, interval }: SourceTrend): string {
  const n = `${points.length} ${points.length === 1 ? 'network' : 'networks'} pretrained on ${source}`;
  if (r === undefined) return `too few for a correlation (${n})`;
  return `r = ${fixed(r)}${interval ? ` [${interval.map(fixed).join(', ')}]` : ''} over ${n}${interval ? '' : ', too few for an interval'}`;
}

/** "fine-tuning scores higher than logistic regression in 5 of 8 cells (proven in 3), lower in 3 (proven in none)". */
export function pairWords(pair: SettingPair, plain: (method: string) => string): string {
  const { method, reference, cells, wins, losses, proven, disproven } = pair;
  const all = `${cells} ${cells === 1 ? 'cell' : 'cells'}`;
  const certain = (count: number) => `(proven in ${count === 0 ? 'none' : count})`;
  const [one, other] = [plain(method), plain(reference)];
  if (wins > 0) {
    const lower = losses > 0 ? `, lower in ${losses} ${certain(disproven)}` : '';
    return `${one} scores higher than ${other} in ${wins} of ${all} ${certain(proven)}${lower}`;
  }
  return losses > 0
    ? `${one} scores lower than ${other} in ${losses} of ${all} ${certain(disproven)}`
    : `${one} scores as high as ${other} in ${all}`;
}

function bestWords(setting: Setting, plain: (method: string) => string): string[] {
  const { method, networks, datasets } = setting;
  if (networks.length < 2 || datasets.length < 2) return [];
  const best = networks.reduce((a, b) => (b.mean > a.mean ? b : a));
  return [
    `By ${plain(method)}, ${best.network.name} transfers best over ${list(datasets)}: its mean logit is that of ${percent(best.accuracy)} %.`,
  ];
}

/** Headline and first lines of a run that compares networks; nothing of any other. */
export function networkSentences(
  record: NetworkRun & Pick<RunRecord, 'answer'>,
): { readonly headline: string; readonly deck: readonly string[] } | undefined {
  if (!record.networks) return undefined;
  const plain = (id: string) => record.methods.find((m) => m.id === id)?.plain ?? id;
  const settings = transferSettings(record);
  const pairs = settingPairs(record).filter((p) => p.dataset === undefined);
  const trends = settings.flatMap(({ method, trends: all }) =>
    all.filter((t) => t.points.length > 1).map((t) => `${plain(method)}: ${trendWords(t)}`),
  );
  const deck = settings.flatMap((setting) => bestWords(setting, plain));
  if (trends.length > 0)
    deck.push(`Accuracy on the source against mean transfer, both as logits: ${trends.join('; ')}.`);
  const left = settings.flatMap(({ method, incomplete }) =>
    incomplete.length > 0 ? [`${list(incomplete)} (${plain(method)})`] : [],
  );
  if (left.length > 0) deck.push(`Left out of means, for want of a score on some data set: ${left.join('; ')}.`);
  const headline =
    pairs.length > 0
      ? `${capital(pairs.map((p) => pairWords(p, plain)).join('; '))}.`
      : (deck.shift() ?? 'Nothing finished on any task: the reasons are below.');
  return { headline, deck };
}
