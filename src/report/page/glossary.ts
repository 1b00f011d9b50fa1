/** Terms of the field, explained where they first stand. */
import { html } from '../table.js';

interface Term {
  readonly id: string;
  readonly name: string;
  /** Forms in which it stands in sentences, in lower case; the longest first. */
  readonly forms: readonly string[];
  readonly meaning: string;
}

const terms: readonly Term[] = [
  {
    id: 'affinity',
    name: 'domain affinity',
    forms: ['domain affinity'],
    meaning:
      'Points by which a probe on the last layer beats training from scratch: how much of the task the network knew already.',
  },
  {
    id: 'keep-fraction',
    name: 'keep fraction',
    forms: ['keep fraction', 'keep fractions'],
    meaning: 'Share of all features that a selection keeps.',
  },
  {
    id: 'gap',
    name: 'duality gap',
    forms: ['duality gap'],
    meaning: 'A bound, computed from the solution itself, on how far its objective is above the optimum.',
  },
  {
    id: 'lambda',
    name: 'lambda path',
    forms: ['lambda path', 'path of lambdas', 'lambdas', 'lambda'],
    meaning:
      'Solutions from the penalty lambda at which every weight is zero down to a small one; features enter one by one.',
  },
  {
    id: 'group-lasso',
    name: 'group lasso',
    forms: ['group-lasso', 'group lasso'],
    meaning:
      'A penalty on the norm of each feature’s weights over all classes: a feature is used for all of them or for none.',
  },
  {
    id: 'fine-tuning',
    name: 'fine-tuning',
    forms: ['fine-tuning', 'fine-tuned', 'fine-tune'],
    meaning: 'Training the whole pretrained network further on the task.',
  },
  {
    id: 'scratch',
    name: 'from scratch',
    forms: ['from scratch'],
    meaning: 'The same network trained from random weights: what the task’s own images suffice for.',
  },
  {
    id: 'probe',
    name: 'probe',
    forms: ['probes', 'probe'],
    meaning: 'A linear classifier on values that the frozen network computes.',
  },
  {
    id: 'layer',
    name: 'tap',
    forms: ['taps', 'tap'],
    meaning: 'A value inside the network that is read: the output of a layer, pooled over the image.',
  },
  {
    id: 'interval',
    name: '95 % interval',
    forms: ['95 % interval', '95 % intervals'],
    meaning:
      'Values that the data do not contradict: over repeated test sets such intervals hold the truth 19 times in 20.',
  },
  {
    id: 'corrected',
    name: 'corrected',
    forms: ['corrected'],
    meaning:
      'Widened so that all intervals of the run hold together in 19 of 20 runs, however many methods were compared.',
  },
  {
    id: 'penalty',
    name: 'penalty',
    forms: ['penalties', 'penalty'],
    meaning: 'What keeps a probe’s weights small; how strong it is, validation examples decide.',
  },
  {
    id: 'seed',
    name: 'seed',
    forms: ['seeds', 'seed'],
    meaning: 'The number that decides every random choice of a run; other seeds show what chance does.',
  },
  {
    id: 'validation',
    name: 'validation',
    forms: ['validation'],
    meaning: 'Training examples set apart to choose settings by. Test examples choose nothing.',
  },
  {
    id: 'jaccard',
    name: 'Jaccard index',
    forms: ['jaccard index'],
    meaning: 'Of two selections: the features in both, over the features in either.',
  },
];

/** Sentences of the page's own: leads, captions, findings. The answer's words stay as they are. */
const sentence = /(<p(?: class="(?:lead|finding)[^"]*")?>)([^<]+)(<\/p>)/g;

/** HTML in which each term is a link to its meaning where it first stands, and the list of those that occur. */
export function withGlossary(parts: readonly string[]): { readonly parts: string[]; readonly list: string } {
  const open = new Map(terms.map((term) => [term, new RegExp(`(?<![\\w-])(${term.forms.join('|')})(?![\\w-])`, 'i')]));
  const met: Term[] = [];
  const linked = parts.map((part) =>
    part.replace(sentence, (_, before: string, text: string, after: string) => {
      let rest = text;
      for (const [term, pattern] of open) {
        const found = pattern.exec(rest);
        if (!found) continue;
        open.delete(term);
        met.push(term);
        // A mark of characters that no text has, so that no other pattern meets what is linked.
        rest = `${rest.slice(0, found.index)}\ue000${met.length - 1}\ue001${found[0]}\ue002${rest.slice(found.index + found[0].length)}`;
      }
      const marked = rest.replace(
        /\ue000(\d+)\ue001([^\ue002]*)\ue002/g,
        (__, i: string, word: string) => `<a class="term" href="#term-${met[Number(i)]?.id}">${word}</a>`,
      );
      return `${before}${marked}${after}`;
    }),
  );
  const items = [...met]
    .sort((a, b) => a.name.localeCompare(b.name, 'en'))
    .map(({ id, name, meaning }) => `<div id="term-${id}"><dt>${html(name)}</dt><dd>${html(meaning)}</dd></div>`);
  return { parts: linked, list: items.length > 0 ? `<dl class="facts glossary">${items.join('')}</dl>` : '' };
}
