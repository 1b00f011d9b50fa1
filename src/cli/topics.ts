/** What `toehold help TOPIC` explains: lists that belong to several commands. */
import { textTable } from '../base/index.js';

interface Topic {
  readonly summary: string;
  readonly text: () => Promise<readonly string[]>;
}

/** Topics load what they list when they are asked for. */
export const topics: Readonly<Record<string, Topic>> = {
  methods: { summary: 'what can be probed, trained and compared', text: methods },
  pooling: { summary: 'how activations become features: --pool', text: pooling },
  preprocess: { summary: 'how images become inputs: --preprocess', text: preprocess },
  data: { summary: 'what DATA and MODEL may be', text: data },
};

/** The methods as lines: id, what it is, what it reads. */
export async function methodLines(probesOnly: boolean): Promise<string[]> {
  const [{ methods: probes }, { catalogue }] = await Promise.all([
    import('../probe/index.js'),
    import('../study/index.js'),
  ]);
  const cards = probesOnly ? probes.map((m) => m.card) : catalogue;
  return textTable(
    ['method', 'reads', 'what it is'],
    cards.map((card) => [card.id, card.reads, card.role === 'candidate' ? card.title : `${card.title} (${card.role})`]),
  );
}

async function methods(): Promise<readonly string[]> {
  return [
    'Methods of probe (-m), run and ask. Baselines are shown beside the others; a bound chooses by test labels and is none to choose.',
    '',
    ...(await methodLines(false)),
  ];
}

async function pooling(): Promise<readonly string[]> {
  const rows = [
    ['gap', 'mean over space; tokens: each prefix token (CLS), and the mean of the patches'],
    ['cls, mean', 'of tokens: those apart (CLS) alone; the mean of the patches alone'],
    ['mean+cls', 'the mean of all tokens'],
    ['tokens', 'every token, every cell of a map, by itself (efficient-probing attends over them)'],
    ['max, std', 'maximum, standard deviation over space or over all tokens'],
    ['target:T', 'means over a grid, as fine as gives at most T features a tap'],
    ['head2toe:T', 'the grid of the Head2Toe reference code, borders dropped'],
    ['auto', 'gap, std and three targets: probes choose among them, tap by tap'],
  ];
  return [
    'Pooling makes features of the activations of a tap (--pool). Several with commas are kept side by side.',
    '',
    ...textTable(['pooling', 'what it keeps'], rows),
  ];
}

async function preprocess(): Promise<readonly string[]> {
  const { preprocessPresets } = await import('../data/index.js');
  const rows = Object.entries(preprocessPresets).map(([name, fields]) => [
    name,
    Object.entries(fields)
      .map(
        ([key, value]) =>
          `${key} ${Array.isArray(value) ? value.map((v) => Number(Number(v).toFixed(3))).join('/') : typeof value === 'number' ? Number(value.toFixed(4)) : value}`,
      )
      .join(', ') || 'pixels / 255',
  ]);
  return [
    'Preprocessing is read from preprocess.json beside the model, else preprocessor_config.json, else timm’s config.json; --preprocess takes a preset or a file. A network sees (pixel x scale - mean) / std, with 1/255 where no scale is named.',
    '',
    ...textTable(['preset', 'fields'], rows),
  ];
}

async function data(): Promise<readonly string[]> {
  const { sources } = await import('../data/index.js');
  return [
    'DATA is any of:',
    ...sources.map(({ name }) => `  ${name}`),
    '  hf:datasets/owner/name[@revision][:config]',
    '',
    'Labels, splits and groups come from columns (--columns path=image,label=species) or from the names of folders: train, val, test.',
    'Images that lie directly in a folder have no labels: extract and score take them, nothing learns from them.',
    '',
    'MODEL is an ONNX file, model.json of TensorFlow.js, or hf:owner/name[@revision][/file].',
  ];
}

/** Command lines that a command's help shows. */
export const examples: Readonly<Record<string, readonly string[]>> = {
  ask: ['toehold ask model.onnx photos/', 'toehold ask hf:timm/resnet18.a1_in1k photos/ --minutes 5 --no-training'],
  init: ['toehold init model.onnx photos/ -o study.yaml'],
  taps: ['toehold taps model.onnx', "toehold taps model.onnx --taps 's3.*,features' --pool gap"],
  extract: ['toehold extract model.onnx photos/ -o features --preprocess imagenet --pool target:512'],
  score: ['toehold score features', 'toehold score features-resnet features-vit --target none -o scores.csv'],
  features: ['toehold features features --format parquet -o features.parquet'],
  probe: [
    'toehold probe features -m linear,auto,head2toe -o probes',
    'toehold probe --features X.npy --labels y.npy --json',
  ],
  train: [
    'toehold train model.onnx photos/ -o tuned --treatment finetune',
    'toehold train resnet20 photos/ -o small --treatment scratch --epochs 20',
  ],
  run: ['toehold run study.yaml -o run', 'toehold run study.yaml -o run --dry-run'],
  report: ['toehold report run', 'toehold report run-resnet run-vit -o comparison'],
  export: [
    'toehold export probes -m head2toe -o head.onnx',
    'toehold export probes --format web --thumbnails 300 -o site',
  ],
  predict: ['toehold predict head.onnx photo.jpg', 'ls *.png | toehold predict head.onnx - --json'],
  convert: ['toehold convert model.json -o model.onnx'],
  demo: ['toehold demo -o demo'],
  schema: ['toehold schema > study.schema.json'],
  verify: ['toehold verify features'],
  doctor: ['toehold doctor'],
  completion: [
    'source <(toehold completion bash)',
    'toehold completion fish > ~/.config/fish/completions/toehold.fish',
  ],
};
