/** Test images on which methods disagree, small enough to travel inside the report. */
import { type Input, loadSharp, readImage } from '../data/index.js';
import {
  type Answer,
  bySimplicity,
  classesOf,
  type MethodCard,
  type TaskRecord,
  type Thumbnail,
} from '../record/index.js';

const perPair = 3;
const side = 64;

/**
 * Up to three images for each way in which the most accurate method and the simplest one, and the methods between them,
 * disagree; spread over classes, in the order of the test set.
 */
export async function thumbnailsOf(
  task: TaskRecord,
  inputs: readonly Input[],
  methods: readonly MethodCard[],
  answer: Answer,
): Promise<Thumbnail[]> {
  const { testLabels: labels = [], predictions = [], target } = task;
  const classes = classesOf(target);
  // Of several seeds the first speaks.
  const byMethod = new Map([...predictions].reverse().map((row) => [row.method, row.predicted ?? []] as const));
  const chosen: number[] = [];
  for (const [right, wrong] of pairsOf(task, methods, answer)) {
    const [a, b] = [byMethod.get(right), byMethod.get(wrong)];
    if (!a || !b) continue;
    const seen = new Set<number>();
    const found = labels.flatMap((label, i) => {
      if (a[i] !== label || b[i] === label || seen.has(label) || chosen.includes(i)) return [];
      seen.add(label);
      return [i];
    });
    chosen.push(...found.slice(0, perPair));
  }
  const name = (c: number | undefined) => classes[c ?? -1] ?? String(c);
  const shown = [...byMethod].reverse();
  return Promise.all(
    chosen.map(async (i) => {
      const { file, image } = inputs[i] as Input;
      return {
        image: await shrink(await readImage(image)),
        file,
        label: name(labels[i]),
        predictions: Object.fromEntries(shown.map(([method, p]) => [method, name(p[i])])),
      };
    }),
  );
}

/** Pairs (right, wrong) worth seeing: the simplest candidate against the best, and the best against the next simplest. */
function pairsOf(task: TaskRecord, methods: readonly MethodCard[], answer: Answer): [string, string][] {
  const order = bySimplicity(methods);
  const candidates = methods
    .filter((m) => m.role === 'candidate' && task.cells.some((c) => c.method === m.id && c.status === 'done'))
    .map((m) => m.id)
    .sort(order);
  const best = answer.tasks.find((t) => t.task === task.task && t.perClass === task.perClass)?.best;
  const [simplest] = candidates;
  if (!simplest) return [];
  const selecting = task.cells.find((c) => c.status === 'done' && c.selection?.keepFractions)?.method;
  const others = [...new Set([selecting, best])].filter((m): m is string => m !== undefined && m !== simplest);
  return others.flatMap((other): [string, string][] => [
    [other, simplest],
    [simplest, other],
  ]);
}

async function shrink(image: Uint8Array): Promise<string> {
  const sharp = await loadSharp();
  const bytes = await sharp(image)
    .rotate()
    .resize(side, side, { fit: 'inside', withoutEnlargement: true })
    .flatten({ background: '#ffffff' })
    .webp({ quality: 70 })
    .toBuffer();
  return `data:image/webp;base64,${bytes.toString('base64')}`;
}
