/**
 * Every method that a study can compare, in the order of tables: all probes, and the trained networks beside them. To add
 * a trained one: a row here.
 */
import { type ProbeMethod, methods as probes } from '../probe/index.js';
import { type MethodCard, shapes } from '../record/index.js';
import { finetuneCard, scratchCard, type Treatment } from '../transfer/index.js';

/** A network that is trained on images. */
export interface TrainedMethod {
  readonly card: MethodCard;
  readonly treatment: Treatment;
  /** Which of the training budgets it spends. */
  readonly budget: 'finetune' | 'scratch';
  /** Factor on the learning rate of everything but the head; 1 where absent. */
  readonly backboneLrScale?: number;
  /** Its head starts from, and reads, what this probe selected. */
  readonly selection?: ProbeMethod | undefined;
}

const images = { reads: 'images', role: 'candidate' } as const;

/** Layers copied from the pretrained network and everything above drawn anew (Yosinski et al., 2014): frozen, or trained further. */
const copied: readonly TrainedMethod[] = (
  [
    ['quarter', 0.25, '¼', '#7d858d', '#c3c8cd', '#946b00', '#f0c75e'],
    ['half', 0.5, '½', '#626a72', '#a9b0b7', '#855300', '#e6ad5c'],
    ['three-quarters', 0.75, '¾', '#474e56', '#8f979f', '#6b3a00', '#d99553'],
  ] as const
).flatMap(([name, share, sign, light, dark, lightTrained, darkTrained]): TrainedMethod[] => {
  const lower = name === 'half' ? 'lower half' : name === 'quarter' ? 'lowest quarter' : 'lower three quarters';
  return [
    {
      card: {
        ...images,
        id: `copy-${name}`,
        label: `AnB ${sign}`,
        plain: `training above the ${lower} of the pretrained layers`,
        advice: `keep the ${lower} of the layers and train new ones above`,
        title: `the ${lower} of the layers copied and frozen, the others drawn anew and trained`,
        simplicity: 3.2,
        light,
        dark,
        shape: shapes.left,
      },
      treatment: { name: 'AnB', share },
      budget: 'finetune',
    },
    {
      card: {
        ...images,
        id: `copy-${name}-trained`,
        label: `AnB+ ${sign}`,
        plain: `training that starts from the ${lower} of the pretrained layers`,
        advice: `start from the ${lower} of the layers, draw the others anew, and train all`,
        title: `the ${lower} of the layers copied, the others drawn anew; all are trained`,
        simplicity: 3.4,
        light: lightTrained,
        dark: darkTrained,
        shape: shapes.right,
      },
      treatment: { name: 'AnB+', share },
      budget: 'finetune',
    },
  ];
});

/** Methods with copied layers, by the share that is copied; what is copied by none, and by all, are scratch and finetune. */
export const copyMethods = copied.map((m) => m.card.id);
const head2toe = probes.find((p) => p.ranks);

export const trained: readonly TrainedMethod[] = [
  {
    card: {
      ...images,
      id: 'head2toe-ft',
      label: 'Head2Toe-FT',
      plain: 'fine-tuning on a selection of features',
      advice: 'select features from all layers, then fine-tune',
      title: 'selected features, then fine-tuned',
      simplicity: 3.5,
      light: '#5146b8',
      dark: '#a8a0ff',
      shape: shapes.star,
    },
    treatment: { name: 'finetune' },
    budget: 'finetune',
    selection: head2toe,
  },
  {
    card: finetuneCard,
    treatment: { name: 'finetune' },
    budget: 'finetune',
  },
  {
    card: {
      ...images,
      id: 'finetune-tenth',
      label: 'Fine-tune, lr/10',
      plain: 'fine-tuning with a tenth of the learning rate below the head',
      advice: 'fine-tune with a tenth of the learning rate below the head',
      title: 'the whole network; copied layers learn at a tenth of the head’s rate',
      simplicity: 3,
      light: '#a03a2c',
      dark: '#ff8f80',
      shape: shapes.bar,
    },
    treatment: { name: 'finetune' },
    budget: 'finetune',
    backboneLrScale: 0.1,
  },
  {
    card: {
      ...images,
      id: 'finetune-top',
      label: 'Fine-tune, top',
      plain: 'fine-tuning of the upper quarter of the layers',
      advice: 'fine-tune the upper quarter of the layers',
      title: 'the upper quarter of the network’s layers, fine-tuned; the others stay as they are',
      simplicity: 2.8,
      light: '#7d5a3c',
      dark: '#d3b08c',
      shape: shapes.square,
    },
    treatment: { name: 'finetune', top: 0.25 },
    budget: 'finetune',
  },
  ...copied,
  {
    card: scratchCard,
    treatment: { name: 'scratch' },
    budget: 'scratch',
  },
];

/** The cards of all of them. */
export const catalogue: readonly MethodCard[] = [...probes, ...trained].map((m) => m.card);

/** Ids of all methods of studies. */
export const methodIds = catalogue.map((card) => card.id);

/** Does it read a second network? */
export const needsControl = (id: string): boolean =>
  catalogue.some((card) => card.id === id && card.reads === 'two networks');

export const probeNamed = (id: string): ProbeMethod | undefined => probes.find((p) => p.card.id === id);
export const trainedNamed = (id: string): TrainedMethod | undefined => trained.find((t) => t.card.id === id);
