/**
 * The catalogue of methods: one name, order, colour and shape for each, the same in every figure and table.
 * Colours hold up in both themes (3:1 at least against the page) and the four main methods stay apart under
 * simulated colour blindness; shapes repeat what colours say.
 */

export interface Method {
  id: string;
  label: string;
  /** What it is, in a few words: the page's key. */
  what: string;
  light: string;
  dark: string;
  /** SVG path of its symbol in the unit box, for Vega and for the page's key. */
  shape: string;
  /** Rank of simplicity: of two methods that cannot be told apart the smaller is to be preferred. */
  simplicity: number;
}

const shapes = {
  circle: 'M.9,0A.9,.9,0,1,1,-.9,0A.9,.9,0,1,1,.9,0Z',
  square: 'M-.8,-.8L.8,-.8L.8,.8L-.8,.8Z',
  diamond: 'M0,-1.1L1,0L0,1.1L-1,0Z',
  cross: 'M-.35,-1L.35,-1L.35,-.35L1,-.35L1,.35L.35,.35L.35,1L-.35,1L-.35,.35L-1,.35L-1,-.35L-.35,-.35Z',
  up: 'M0,-1L1,.8L-1,.8Z',
  down: 'M0,1L1,-.8L-1,-.8Z',
  left: 'M-1,0L.8,-1L.8,1Z',
  right: 'M1,0L-.8,-1L-.8,1Z',
  hexagon: 'M0,-1L.87,-.5L.87,.5L0,1L-.87,.5L-.87,-.5Z',
  star: 'M0,-1.15L.34,-.47L1.09,-.36L.55,.18L.68,.93L0,.57L-.68,.93L-.55,.18L-1.09,-.36L-.34,-.47Z',
  bar: 'M-1,-.4L1,-.4L1,.4L-1,.4Z',
};

const catalogue: readonly Method[] = [
  method('linear', 'Linear', 'probe on the last layer', '#3a424d', '#dde3ea', shapes.circle, 0),
  method('control', 'Control', 'last layer and that of a second network', '#7d6c00', '#cdb93a', shapes.diamond, 1),
  method(
    'oracle',
    'Oracle',
    'last layer and the one other layer that is best on the test set',
    '#9a6700',
    '#e3a93b',
    shapes.up,
    2,
  ),
  method('all-l1', 'All-ℓ1', 'all layers, lasso', '#4f7a28', '#9fce6e', shapes.right, 3),
  method('all-l2', 'All-ℓ2', 'all layers, ridge', '#1a7f5a', '#5fd0a3', shapes.left, 3),
  method('all-l21', 'All-ℓ2,1', 'all layers, group lasso', '#0f7f8c', '#56c8d6', shapes.hexagon, 3),
  method('head2toe', 'Head2Toe', 'features selected from all layers', '#0a66c2', '#66b2ff', shapes.square, 4),
  method('head2toe-ft', 'Head2Toe-FT', 'selected features, then fine-tuned', '#5146b8', '#a8a0ff', shapes.star, 6),
  method('finetune', 'Fine-tune', 'the whole network', '#c24d00', '#ff9b57', shapes.cross, 6),
  method(
    'finetune-tenth',
    'Fine-tune, lr/10',
    'the whole network, a tenth of the learning rate',
    '#a03a2c',
    '#ff8f80',
    shapes.bar,
    6,
  ),
  method('scratch', 'Scratch', 'the same network, not pretrained', '#c0509b', '#c95fae', shapes.down, 5),
];

/** Colours for methods outside the catalogue, by order of appearance. */
const spare: readonly [string, string, string][] = [
  ['#6b4f3a', '#cbb09a', shapes.circle],
  ['#44631f', '#b4d38a', shapes.square],
  ['#7a2f4f', '#e8a3bd', shapes.diamond],
  ['#2f5d7a', '#97c4df', shapes.up],
];

function method(
  id: string,
  label: string,
  what: string,
  light: string,
  dark: string,
  shape: string,
  simplicity: number,
): Method {
  return { id, label, what, light, dark, shape, simplicity };
}

/** The methods with these ids, in the catalogue's order; unknown ids follow, in their own order. */
export function methodsOf(ids: Iterable<string>): Method[] {
  const wanted = [...new Set(ids)];
  const known = catalogue.filter((m) => wanted.includes(m.id));
  const unknown = wanted.filter((id) => !catalogue.some((m) => m.id === id));
  return [
    ...known,
    ...unknown.map((id, i) => {
      const [light, dark, shape] = spare[i % spare.length] as [string, string, string];
      return { id, label: id, what: id, light, dark, shape, simplicity: 5 };
    }),
  ];
}

export function labelOf(id: string): string {
  return catalogue.find((m) => m.id === id)?.label ?? id;
}

/** Methods that select from, or weigh, all layers: the candidates for "intermediate layers help". */
export const allLayerMethods: readonly string[] = ['head2toe', 'all-l21', 'all-l1', 'all-l2'];
