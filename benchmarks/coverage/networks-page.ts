/** docs/networks.md from what networks.ts has measured. */
import { stripVTControlCharacters } from 'node:util';
import type { NetworkRow } from './network-work.js';

/** The ways of exporting, as export_networks.py calls them. */
export const ways = ['free', 'fixed', 'fixed-default', 'free-dynamo'] as const;

/** Position of a way of exporting in `ways`. */
export const wayIndex = (how: string): number => (ways as readonly string[]).indexOf(how);

const words: Readonly<Record<(typeof ways)[number], string>> = {
  free: 'older exporter, free batch',
  fixed: 'older exporter, one image',
  'fixed-default': 'default exporter, one image',
  'free-dynamo': 'default exporter, free batch',
};

/** Differences that lie in what an exporter wrote, by name and way of exporting. */
const exporters: readonly { readonly of: RegExp; readonly note: string }[] = [
  {
    of: /^swinv2_tiny_window8_256 (fixed-default|free-dynamo)$/,
    note:
      'the exporter stores the first product of each perceptron over relative positions (15 x 15 x 512 numbers) in place of its ' +
      'weight (2 x 512): the file has more parameters and fewer multiply-adds than the framework',
  },
  {
    of: /^beit_base_patch16_224 (fixed-default|free-dynamo)$/,
    note: 'torch.onnx.export itself fails',
  },
  {
    of: /^hf:dinov3 fixed$/,
    note: "the exporter counts no registers as one: Python's onnxruntime does not load the file either",
  },
];

interface Figure {
  /** As a row of the table says it. */
  readonly name: string;
  /** As a cell of an architecture says that it does not hold. */
  readonly short: string;
  readonly must: string;
  /** Undefined where nothing was compared. */
  readonly holds: (row: NetworkRow) => boolean | undefined;
  /** A file that has the taps and counts of the export with a free batch holds what that holds. */
  readonly shared?: true;
}

const figures: readonly Figure[] = [
  {
    name: 'taps with the right layout, prefix tokens and grid, and the right ends',
    short: 'taps',
    shared: true,
    must: 'all',
    holds: ({ taps, ends, failed }) =>
      failed.taps !== undefined ? false : taps && taps.wrong.length === 0 && ends === '',
  },
  {
    name: "extracted features equal to Python's onnxruntime, pooled by NumPy (1e-3)",
    short: 'features',
    must: 'all',
    holds: ({ extraction, failed }) =>
      failed.taps !== undefined || failed.extraction !== undefined ? false : extraction && extraction.worst < 1e-3,
  },
  {
    name: 'parameters exact, but for folded norms',
    short: 'parameters',
    shared: true,
    must: 'all',
    holds: ({ parameters: p }) => p && (p.ours === p.theirs || p.ours === p.folded),
  },
  {
    name: 'multiply-adds within .1 % of PyTorch’s counter',
    short: 'multiply-adds',
    shared: true,
    must: 'all',
    holds: ({ multiplyAdds: m }) => m && Math.abs(m.ours / m.theirs - 1) < 1e-3,
  },
  {
    name: 'first loss and gradients of fine-tuning equal to PyTorch’s (1e-3, or twice what its own float32 is off from float64 at most, computed in three ways and from weights a rounding away)',
    short: 'gradients',
    must: 'all but refusals by name',
    holds: ({ step, failed }) =>
      step
        ? Math.abs(step.loss - step.theirLoss) < 1e-3 * step.theirLoss &&
          step.gradient < Math.max(1e-3, 2 * (step.rounding ?? 0))
        : failed.step === undefined
          ? undefined
          : false,
  },
  {
    name: 'the loss falls in five steps (learning rate .003, else a tenth or a hundredth of it)',
    short: 'training',
    must: 'all but refusals by name',
    holds: ({ losses, failed }) =>
      losses ? (losses.at(-1) ?? 0) < (losses[0] ?? 0) : failed.training === undefined ? undefined : false,
  },
  {
    name: 'probabilities of the exported head in Python, images of any size (1e-4)',
    short: 'head',
    must: 'all',
    holds: ({ head, failed }) => (head === undefined ? (failed.head === undefined ? undefined : false) : head < 1e-4),
  },
  {
    name: 'blocks as the architecture counts them (one or a fifth more or less)',
    short: 'blocks',
    shared: true,
    must: '90 %',
    holds: ({ blocks }) =>
      !blocks || blocks.theirs === 0
        ? undefined
        : Math.abs(blocks.ours - blocks.theirs) <= Math.max(1, 0.2 * blocks.theirs),
  },
];

const cell = (holding: readonly (boolean | undefined)[]) => {
  const made = holding.filter((h) => h !== undefined);
  return made.length === 0 ? '' : `${made.filter(Boolean).length} of ${made.length}`;
};

/** Rows, in the order of the table. */
export function networksPage(rows: readonly NetworkRow[], names: readonly string[]): string {
  const of = (how: string) => rows.filter((row) => row.how === how && row.failed.export === undefined);
  const free = new Map(of('free').map((row) => [row.name, row]));
  const holding = ({ holds, shared }: Figure, row: NetworkRow) => {
    const found = holds(row);
    const twin = free.get(row.name);
    return found === undefined && shared && row.alike === '' && twin ? holds(twin) : found;
  };
  const table = figures.map((figure) => {
    const { name, must } = figure;
    const cells = ways.map((how) => cell(of(how).map((row) => holding(figure, row))));
    return `| ${name} | ${must} | ${cells.join(' | ')} |`;
  });
  const exported = ways.map((how) => `${of(how).length}`);
  const verdict = (row: NetworkRow | undefined) => {
    if (!row) return '';
    if (row.failed.export !== undefined) return 'not exported';
    const missing = figures.filter((figure) => holding(figure, row) === false).map(({ short }) => short);
    if (row.alike) missing.push('like the first');
    return missing.length === 0 ? 'right' : `not ${missing.join(', ')}`;
  };
  const architectures = names.flatMap((name) => {
    const own = rows.filter((row) => row.name === name);
    const first = own.find((row) => row.parameters);
    if (own.length === 0) return [];
    const { parameters: p, blocks: b, taps: t } = first ?? {};
    const millions = p ? `${(p.theirs / 1e6).toFixed(2)} M` : '';
    const counts = [t ? `${t.all}` : '', b ? (b.theirs > 0 ? `${b.ours} of ${b.theirs}` : 'none') : '', millions];
    return [
      `| ${name} | ${[...counts, ...ways.map((how) => verdict(own.find((row) => row.how === how)))].join(' | ')} |`,
    ];
  });
  const faults = rows.flatMap((row) => {
    const { taps, ends, failed, step, extraction } = row;
    const lines = [
      ...exporters.filter(({ of }) => of.test(`${row.name} ${row.how}`)).map(({ note }) => note),
      ...Object.entries(failed).map(([what, why]) => `${what}: ${stripVTControlCharacters(why).split('\n')[0]}`),
      ...(taps?.wrong.slice(0, 3) ?? []),
      ...(ends ? [`ends: ${ends}`] : []),
      ...(row.alike ? [`unlike the export with a free batch: ${row.alike}`] : []),
      ...(extraction && !(extraction.worst < 1e-3)
        ? [`${extraction.tap}: features ${extraction.worst.toPrecision(2)} off`]
        : []),
      ...(step && !(step.gradient < 1e-3)
        ? [
            `gradients ${step.gradient.toPrecision(2)} off where PyTorch's float32 is ${(step.rounding ?? 0).toPrecision(2)} off from its float64, most ${step.worst[0]} (${step.worst[1].toPrecision(2)})`,
          ]
        : []),
    ];
    return lines.length > 0
      ? [`- ${row.name}, ${words[row.how as keyof typeof words] ?? row.how}: ${lines.join('; ')}`]
      : [];
  });
  const unmeasured = ways.flatMap((how) => {
    const own = of(how);
    const measured = own.filter((row) => figures.some((figure) => holding(figure, row) !== undefined));
    const without = (list: readonly NetworkRow[]) => names.filter((name) => !list.some((row) => row.name === name));
    const refused = rows.filter((row) => row.how === how && row.failed.export !== undefined).map(({ name }) => name);
    const none = without(measured).filter((name) => !refused.includes(name));
    const lines = none.length > 0 ? [`nothing of ${none.join(', ')}`] : [];
    for (const figure of figures) {
      const made = own.filter((row) => holding(figure, row) !== undefined || (figure.short === 'blocks' && row.blocks));
      const missing = without(made).filter((name) => !none.includes(name) && !refused.includes(name));
      if (missing.length > 0 && missing.length === names.length - none.length - refused.length) {
        lines.push(`${figure.short} of none`);
      } else if (missing.length > 0) lines.push(`${figure.short} not of ${missing.join(', ')}`);
    }
    return lines.length > 0 ? [`- ${words[how]}: ${lines.join('; ')}`] : [];
  });
  const told = rows.reduce((n, { taps }) => n + (taps?.told ?? 0), 0);
  const all = rows.reduce((n, { taps }) => n + (taps?.all ?? 0), 0);
  return `# Networks
Written by \`npm run coverage:networks\`; not by hand. Architectures of timm, torchvision (tv:) and transformers (hf:) with
random but trained-like weights, exported in four ways by \`torch.onnx.export\`. Values are those of Python's onnxruntime on the
untouched file; which axis is channels is told by the PyTorch module that reads or makes the same numbers (${told} of ${all} default
taps), prefix tokens by the framework; gradients are autograd's on the PyTorch network, for all weights that are found there.
A file with the taps, layouts and counts of the export with a free batch counts as that one does in these. Empty: not measured.

| figure | must | ${ways.map((how) => words[how]).join(' | ')} |
|---|---|${ways.map(() => '---').join('|')}|
| files | | ${exported.join(' | ')} |
${table.join('\n')}

## Architectures
Default taps, blocks that their names count of those that the architecture has, parameters of the framework; then, for each way of
exporting, what of the figures that were measured does not hold.

| architecture | taps | blocks | parameters | ${ways.map((how) => words[how]).join(' | ')} |
|---|---|---|---|${ways.map(() => '---').join('|')}|
${architectures.join('\n')}
${faults.length > 0 ? `\n## What does not hold\n${faults.join('\n')}\n` : ''}${
  unmeasured.length > 0 ? `\n## Not measured\n${unmeasured.join('\n')}\n` : ''
}`;
}
