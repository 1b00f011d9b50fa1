/**
 * A method's card: how it is named, drawn and ranked wherever it is shown. Each method brings its own (a probe's stands in
 * its file, see probe/methods); a record carries the cards of its methods, so that it is read and drawn without the
 * program that wrote it.
 */
import * as z from 'zod';

const colour = z.string().regex(/^#[0-9a-f]{6}$/);

/** What a method is called, how it is drawn, and how simple it is. */
export const MethodCard = z.strictObject({
  id: z.string().min(1),
  label: z.string().describe('in figures and tables: Head2Toe'),
  plain: z.string().describe('in a sentence, a singular: a selection of features from all layers'),
  advice: z.string().describe('what to do, in the imperative: select features from all layers'),
  title: z.string().describe('what it is, in a few words'),
  reads: z
    .enum(['last layer', 'all layers', 'two networks', 'images'])
    .describe('what it needs of an example: pooled features of these taps, or the image itself'),
  role: z
    .enum(['candidate', 'baseline', 'bound'])
    .describe('candidates may be advised; baselines are shown beside them; a bound chooses by test labels'),
  simplicity: z
    .number()
    .describe(
      'of two candidates that cannot be told apart the smaller is advised: 0 a head on the last layer, 1 a head on several, 2 a selection of features, 3 the network itself is trained, 4 and from scratch',
    ),
  light: colour.describe('colour on a light page'),
  dark: colour.describe('colour on a dark page'),
  shape: z.string().describe('SVG path of its symbol in the unit box'),
});

/** A method's card. */
export type MethodCard = z.infer<typeof MethodCard>;

/** Symbols to choose from. */
export const shapes = {
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
  pentagon: 'M0,-1L.95,-.31L.59,.81L-.59,.81L-.95,-.31Z',
} as const;

/** Looks of methods without a card, by order of appearance. */
const spare = [
  ['#6b4f3a', '#cbb09a', shapes.circle],
  ['#44631f', '#b4d38a', shapes.square],
  ['#7a2f4f', '#e8a3bd', shapes.diamond],
  ['#2f5d7a', '#97c4df', shapes.up],
] as const;

/** A card for a method that nobody has described: shown under its id, beside the candidates and never advised. */
export function plainCard(id: string, index: number): MethodCard {
  const [light, dark, shape] = spare[index % spare.length] as (typeof spare)[number];
  return {
    id,
    label: id,
    plain: id,
    advice: `use ${id}`,
    title: id,
    reads: 'all layers',
    role: 'baseline',
    simplicity: 2,
    light,
    dark,
    shape,
  };
}
