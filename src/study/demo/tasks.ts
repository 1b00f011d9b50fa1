/**
 * The demo's tasks: one on which the shipped backbone was trained, and targets at several distances from it. The
 * backbone had to name a figure whatever its place, size, turn and colours, so its last layer has learnt to ignore
 * just what some of the targets ask for.
 */
import { Random } from '../../base/index.js';
import { Canvas, side, twoColours } from './draw.js';
import { type Shape, sourceShapes, unseenShapes } from './shapes.js';

export interface DrawnTask {
  readonly name: string;
  /** One sentence on what is asked and how far that is from the source. */
  readonly about: string;
  readonly classes: readonly string[];
  /** Pictures to learn from in the demo. */
  readonly train: number;
  /** Draws an example of class `label`. */
  draw(label: number, random: Random): Uint8Array;
}

const noise = 8;
/** Pictures to learn from, unless a task says otherwise. */
const usual = 180;

function scene(random: Random): { canvas: Canvas; front: readonly [number, number, number] } {
  const { back, front } = twoColours(random);
  const slope = [0, 1, 2].map(() => 40 * (random.uniform() - 0.5)) as [number, number, number];
  return { canvas: new Canvas().fill(back, slope, 2 * Math.PI * random.uniform()), front };
}

function namedFigure(shapes: Readonly<Record<string, Shape>>): Pick<DrawnTask, 'classes' | 'draw'> {
  const classes = Object.keys(shapes);
  return {
    classes,
    draw(label, random) {
      const { canvas, front } = scene(random);
      const radius = 6.5 + 4.5 * random.uniform();
      const place = () => radius + 1 + (side - 2 * radius - 2) * random.uniform();
      return canvas
        .shape(
          shapes[classes[label] as string] as Shape,
          place(),
          place(),
          radius,
          2 * Math.PI * random.uniform(),
          front,
        )
        .noise(random, noise)
        .bytes();
    },
  };
}

/** What the demo's network was trained on. */
export const sourceTask: DrawnTask = {
  name: 'figures',
  about: 'name the figure; what the backbone was trained on',
  train: 12_000,
  ...namedFigure(sourceShapes),
};

const unseen: DrawnTask = {
  name: 'unseen-figures',
  about: 'name the figure, among figures that the backbone never saw: near the source',
  train: usual,
  ...namedFigure(unseenShapes),
};

/** Weight of a texture's second colour at (x, y), for coordinates along and across its direction. */
const textures: Readonly<Record<string, (u: number, v: number, period: number) => number>> = {
  stripes: (u, _, p) => wave(u / p),
  fineStripes: (u, _, p) => wave((2 * u) / p),
  checks: (u, v, p) => (wave(u / p) - 0.5) * (wave(v / p) - 0.5) * 2 + 0.5,
  dots: (u, v, p) => (Math.hypot(centred(u / p), centred(v / p)) < 0.3 ? 1 : 0),
  rings: (u, v, p) => wave(Math.hypot(u, v) / p),
  grid: (u, v, p) => Math.max(Math.abs(centred(u / p)) > 0.36 ? 1 : 0, Math.abs(centred(v / p)) > 0.36 ? 1 : 0),
  waves: (u, v, p) => wave((u + 2.2 * Math.sin((2 * Math.PI * v) / (2 * p))) / p),
};
const wave = (t: number): number => 0.5 + 0.5 * Math.sin(2 * Math.PI * t);
const centred = (t: number): number => t - Math.floor(t) - 0.5;

const texture: DrawnTask = {
  name: 'textures',
  about: 'name the texture that fills the picture: other things than figures',
  train: usual,
  classes: Object.keys(textures),
  draw(label, random) {
    const { canvas, front } = scene(random);
    const weight = textures[this.classes[label] as string] as (typeof textures)[string];
    const angle = Math.PI * random.uniform();
    const period = 6 + 4 * random.uniform();
    const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
    const [x0, y0] = [side * random.uniform(), side * random.uniform()];
    const strength = 0.35 + 0.3 * random.uniform();
    return canvas
      .paint(
        front,
        (x, y) => strength * weight((x - x0) * cos + (y - y0) * sin, (y - y0) * cos - (x - x0) * sin, period),
      )
      .noise(random, 1.5 * noise)
      .bytes();
  },
};

const position: DrawnTask = {
  name: 'position',
  about: 'say in which of nine fields the figure stands: the backbone learnt to ignore it',
  train: usual,
  classes: ['NW', 'N', 'NE', 'W', 'centre', 'E', 'SW', 'S', 'SE'],
  draw(label, random) {
    const { canvas, front } = scene(random);
    const shapes = Object.values(sourceShapes);
    const field = side / 3;
    const at = (cell: number) => field * (cell + 0.5) + 0.7 * field * (random.uniform() - 0.5);
    return canvas
      .shape(
        shapes[random.integer(shapes.length)] as Shape,
        at(label % 3),
        at(Math.floor(label / 3)),
        4 + 3 * random.uniform(),
        2 * Math.PI * random.uniform(),
        front,
      )
      .noise(random, noise)
      .bytes();
  },
};

const angles = 8;
const orientation: DrawnTask = {
  name: 'orientation',
  about: 'say how far a bar is turned, in steps of 22.5 degrees: the backbone learnt to ignore it',
  train: usual,
  classes: Array.from({ length: angles }, (_, i) => `${(180 * i) / angles}°`),
  draw(label, random) {
    const { canvas, front } = scene(random);
    const radius = 8 + 3 * random.uniform();
    const place = () => radius + 1 + (side - 2 * radius - 2) * random.uniform();
    const turn = (Math.PI * (label + 0.6 * (random.uniform() - 0.5))) / angles;
    return canvas
      .shape(sourceShapes.bar as Shape, place(), place(), radius, turn, front)
      .noise(random, noise)
      .bytes();
  },
};

/** The demo's tasks, nearest to the source first. */
export const targetTasks: readonly DrawnTask[] = [unseen, texture, position, orientation];

/** `n` examples with balanced classes in a shuffled order, each from a stream of its own. */
export function drawExamples(
  task: DrawnTask,
  split: string,
  n: number,
  seed: number,
): { label: number; pixels: Uint8Array }[] {
  const labels = new Random(seed, task.name, split).shuffle(
    Array.from({ length: n }, (_, i) => i % task.classes.length),
  );
  return labels.map((label, i) => ({ label, pixels: task.draw(label, new Random(seed, task.name, split, i)) }));
}
