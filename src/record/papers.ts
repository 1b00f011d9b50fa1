/**
 * What each paper would have advised on a task, held against what was measured there: the advised method's score, and how far
 * the best method is ahead of it, by the run's intervals.
 */

import { doneCells, scoredCell, scoredCells } from './cell-schema.js';
import { compared, rangeOf } from './comparisons.js';
import type { RunRecord, TaskRecord } from './schema.js';

interface Advice {
  readonly paper: string;
  readonly words: string;
  /** Methods that follow it, the first that the run has counts. */
  readonly methods: readonly string[];
}

/** Labels up to which logistic regression on fixed features is comparable to fine-tuning or better, in their experiments. */
const fewLabels = 800;

/** @param labels of the task, validation included */
function advicesFor({ domainAffinity }: TaskRecord, labels: number): Advice[] {
  const similar = domainAffinity && domainAffinity.value > 0;
  return [
    {
      paper: 'Yosinski et al. (2014)',
      words: 'copy all layers and train them further',
      methods: ['finetune'],
    },
    {
      paper: 'Kornblith et al. (2019)',
      words:
        labels <= fewLabels
          ? `logistic regression on the last layer, with ${labels} labels`
          : `fine-tune, with ${labels} labels`,
      methods: labels <= fewLabels ? ['logistic', 'linear'] : ['finetune'],
    },
    ...(similar === undefined
      ? []
      : [
          {
            paper: 'cs231n notes',
            words: similar
              ? 'few labels of a similar task: a linear classifier on the last layer'
              : 'few labels of a different task: a linear classifier on an earlier layer',
            methods: similar ? ['linear'] : ['best-tap', 'linear-half'],
          },
        ]),
    {
      paper: 'Head2Toe (2022)',
      words: 'select features from all layers',
      methods: ['head2toe'],
    },
  ];
}

/** What a paper would have advised for a task, and what came out. */
export interface PaperRow {
  readonly task: string;
  readonly paper: string;
  readonly advice: string;
  readonly method: string;
  readonly score: number;
  /** The candidate with the highest score, and how far it is ahead. */
  readonly best: string;
  readonly bestScore: number;
  readonly difference: number;
  readonly interval?: readonly [number, number] | undefined;
  /** best: nothing is proven better by more than the margin; beaten: the best is proven better. */
  readonly verdict: 'best' | 'beaten' | 'undecided';
}

/** Rows of every task, of a run that compares copied layers with the rest; empty for others. */
export function paperRows({
  tasks,
  answer,
  margin,
  methods,
}: Pick<RunRecord, 'tasks' | 'answer' | 'margin' | 'methods'>): PaperRow[] {
  if (!tasks.some((t) => doneCells(t).some((c) => c.settings?.copiedLayers !== undefined))) return [];
  const candidates = new Set(methods.filter((m) => m.role === 'candidate').map((m) => m.id));
  return tasks.flatMap((task) => {
    const own = scoredCells(task).filter(
      (c) => candidates.has(c.method) && !c.failedToTrain && c.suspect === undefined,
    );
    const [first] = own;
    if (!first) return [];
    const best = own.reduce((a, b) => (b.score > a.score ? b : a), first);
    return advicesFor(task, task.examples.train).flatMap(({ paper, words, methods: advised }): PaperRow[] => {
      const method = advised.find((id) => scoredCell(task, id));
      const cell = method === undefined ? undefined : scoredCell(task, method);
      if (method === undefined || !cell) return [];
      const common = {
        task: task.task,
        paper,
        advice: words,
        method,
        score: cell.score,
        best: best.method,
        bestScore: best.score,
      };
      if (method === best.method) return [{ ...common, difference: 0, verdict: 'best' }];
      const comparison = compared(answer.comparisons, { task: task.task, method: best.method, reference: method });
      if (!comparison) return [{ ...common, difference: best.score - cell.score, verdict: 'undecided' }];
      const interval = rangeOf(comparison);
      return [
        {
          ...common,
          difference: comparison.difference,
          interval,
          verdict: interval[0] > 0 ? 'beaten' : interval[1] <= margin ? 'best' : 'undecided',
        },
      ];
    });
  });
}
