/**
 * What the cs231n course advises by size of the data and likeness to what the network was pretrained on, held against what
 * was measured. A task says whether it is alike (judged before the run), else its domain affinity does; the fewest and the
 * most labels of its curve are small and large data.
 */

import { done } from './cell-schema.js';
import { compared, rangeOf } from './comparisons.js';
import type { RunRecord, TaskRecord } from './schema.js';

interface Advice {
  /** In the course's words, shortened. */
  readonly words: string;
  /** Methods that follow it. */
  readonly methods: readonly string[];
}

/** The notes' advice (cs231n, "Transfer Learning"). */
const advices: Readonly<Record<'small' | 'large', Readonly<Record<'similar' | 'different', Advice>>>> = {
  small: {
    similar: { words: 'a linear classifier on the last layer; do not fine-tune', methods: ['linear'] },
    different: {
      words: 'a linear classifier on earlier activations',
      methods: ['linear-quarter', 'linear-half', 'linear-three-quarters'],
    },
  },
  large: {
    similar: { words: 'fine-tune', methods: ['finetune-top', 'finetune', 'finetune-tenth'] },
    different: { words: 'fine-tune all layers from the pretrained weights', methods: ['finetune', 'finetune-tenth'] },
  },
};
/** Of the lecture slides, at any size: a tenth of the rate for pretrained weights. */
const rate = {
  words: 'a tenth of the learning rate for pretrained weights',
  methods: ['finetune-tenth'],
  against: ['finetune'],
};

/** What the course's advice (CS231n) was for a task, and what came out. */
export interface CourseRow {
  readonly task: string;
  readonly perClass: number;
  readonly size: 'small' | 'large';
  readonly similar: boolean;
  /** Whether the task's config says so; else its domain affinity does. */
  readonly declared: boolean;
  readonly advice: string;
  /** Of the methods that follow the advice the one with the highest score, and of the others the one that is most ahead of it. */
  readonly method: string;
  readonly score: number;
  readonly rival: string;
  readonly rivalScore: number;
  /** Rival minus method, with the interval that holds together with all of the run. */
  readonly difference: number;
  readonly interval: readonly [number, number];
  /** held: no other method is better by more than the margin; failed: one is proven better. */
  readonly verdict: 'held' | 'failed' | 'undecided';
}

/** Is the task like what the network was pretrained on? Undefined where nothing says it. */
function likeness({ similar, domainAffinity }: TaskRecord): { similar: boolean; declared: boolean } | undefined {
  if (similar !== undefined) return { similar, declared: true };
  return domainAffinity && { similar: domainAffinity.value > 0, declared: false };
}

/** Empty for a run without learning curves. */
export function courseRows(record: Pick<RunRecord, 'tasks' | 'answer' | 'margin' | 'methods'>): CourseRow[] {
  return record.tasks.flatMap((task) => {
    const like = likeness(task);
    const [fewest] = task.curve ?? [];
    const { perClass: most } = task;
    if (!like || !fewest || most === undefined) return [];
    const ends = [
      { size: 'small', perClass: fewest.perClass, cells: fewest.cells },
      { size: 'large', perClass: most, cells: task.cells },
    ] as const;
    return ends.flatMap(({ size, perClass, cells }) => {
      const advice = advices[size][like.similar ? 'similar' : 'different'];
      const candidates = record.methods.filter((m) => m.role === 'candidate').map((m) => m.id);
      const rivals = candidates.filter((id) => !advice.methods.includes(id));
      return [{ ...advice, against: rivals }, rate].flatMap(({ words, methods, against }): CourseRow[] => {
        const found = heldAgainst(record, { task: task.task, perClass, cells }, methods, against);
        return found ? [{ task: task.task, perClass, size, ...like, advice: words, ...found }] : [];
      });
    });
  });
}

type Verdict = Pick<CourseRow, 'method' | 'score' | 'rival' | 'rivalScore' | 'difference' | 'interval' | 'verdict'>;

function heldAgainst(
  { answer, margin }: Pick<RunRecord, 'answer' | 'margin'>,
  { task, perClass, cells }: { readonly task: string; readonly perClass: number; readonly cells: TaskRecord['cells'] },
  methods: readonly string[],
  against: readonly string[],
): Verdict | undefined {
  const scoreOf = (id: string) => {
    const cell = done({ cells }, id);
    return cell?.failedToTrain || cell?.suspect !== undefined ? undefined : cell?.score;
  };
  const own = methods.flatMap((method) => {
    const score = scoreOf(method);
    return score === undefined ? [] : [{ method, score }];
  });
  const [first] = own;
  if (!first) return undefined;
  const { method, score } = own.reduce((a, b) => (b.score > a.score ? b : a), first);
  const over = against.flatMap((rival) => {
    const comparison = compared(answer.comparisons, { task, perClass, method: rival, reference: method });
    const rivalScore = scoreOf(rival);
    return comparison && rivalScore !== undefined ? [{ rival, rivalScore, comparison }] : [];
  });
  const [nearest] = over;
  if (!nearest) return undefined;
  const ahead = over.reduce((a, b) => (b.comparison.difference > a.comparison.difference ? b : a), nearest);
  const failed = over.some(({ comparison }) => rangeOf(comparison)[0] > 0);
  const held = over.every(({ comparison }) => rangeOf(comparison)[1] <= margin);
  return {
    method,
    score,
    rival: ahead.rival,
    rivalScore: ahead.rivalScore,
    difference: ahead.comparison.difference,
    interval: rangeOf(ahead.comparison),
    verdict: failed ? 'failed' : held ? 'held' : 'undecided',
  };
}
