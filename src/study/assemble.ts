/**
 * Records of units into the record of the run. A pure function of plan and records: the same records give the same bytes,
 * however often the run was interrupted.
 */
import { given } from '../base/index.js';
import {
  type Cell as CellRecord,
  type CurvePoint,
  type DoneCell,
  type Measured,
  overSeeds,
  type Targets,
  truthOf,
} from '../record/index.js';
import { catalogue } from './catalogue.js';
import { type Cell, foldsOf } from './cells.js';
import { resultOf } from './folder.js';
import { closure, type Plan, type Unit } from './plan.js';
import type { PlannedPoint, PlannedTask, StudyInputs, StudyPlan } from './protocols/index.js';
import type { Outcome } from './runner.js';
import { extraction, probe, training, trial } from './units/kinds.js';

export interface RunFacts {
  readonly command: string;
  readonly startedAt: string;
  readonly versions: Readonly<Record<string, string>>;
  readonly engine: string;
  readonly device: string;
}

/** What was measured: the record without its answer. */
export function assemble(inputs: StudyInputs, plan: StudyPlan, outcome: Outcome, facts: RunFacts): Measured {
  return new Assembly(inputs, plan, outcome).measured(facts);
}

/** What a study does less of than it could, one sentence each. */
export function gaveUpIn({
  study,
  leftOut,
  remarks,
}: Pick<StudyInputs, 'study'> & Pick<StudyPlan, 'leftOut' | 'remarks'>): string[] {
  const clause = leftOut === undefined ? [] : [`${leftOut.charAt(0).toUpperCase()}${leftOut.slice(1)}.`];
  return [...clause, ...study.scaledDown, ...remarks];
}

class Assembly {
  readonly plan: Plan;

  constructor(
    readonly inputs: StudyInputs,
    readonly study: StudyPlan,
    readonly outcome: Outcome,
  ) {
    this.plan = study.plan;
  }

  measured(facts: RunFacts): Measured {
    const { study, tasks, backbone, networks, control } = this.inputs;
    const { config } = study;
    const states = this.plan.units.map((u) => this.outcome.states.get(u.id));
    const budgets = new Set(tasks.map((t) => t.budget));
    const compared = new Set(this.study.tasks.flatMap((t) => t.points.flatMap((p) => p.cells.map((c) => c.method))));
    return {
      format: 'toehold-record',
      version: 2,
      title: config.title ?? `${config.protocol} on ${tasks.map((t) => t.name).join(', ')}`,
      protocol: config.protocol,
      margin: config.margin / 100,
      backbone: backbone.name,
      run: {
        ...facts,
        config: JSON.parse(JSON.stringify(config)) as Record<string, unknown>,
        fingerprints: [
          ...[...networks, ...(control ? [control] : [])].map((b) => ({ name: b.name, sha256: b.sha256 })),
          ...tasks.flatMap((t) => [
            { name: `${t.name}: training images and labels`, sha256: t.trainKey },
            { name: `${t.name}: test images`, sha256: t.testKey },
            { name: `${t.name}: test labels`, sha256: t.labelKey },
          ]),
        ],
        seeds: [...config.seeds],
        labelBudget:
          budgets.size === 1
            ? `Per task, ${[...budgets][0]}.`
            : `${tasks.map((t) => `${t.name}: ${t.budget}`).join('; ')}.`,
        scaledDown: gaveUpIn({ study, ...this.study }),
      },
      units: {
        total: states.length,
        done: states.filter((s) => s === 'done').length,
        failed: states.filter((s) => s === 'failed').length,
      },
      seconds: [...this.outcome.records.values()].reduce((sum, r) => sum + r.seconds, 0),
      ...(study.budgets.networks === 'all' ? { networks: this.networks() } : {}),
      methods: catalogue.filter((card) => compared.has(card.id)),
      tasks: this.study.tasks.map((task) => this.task(task)),
      ...this.study.sections?.(this.outcome),
    };
  }

  private networks(): NonNullable<Measured['networks']> {
    const { networks, known } = this.inputs;
    return networks.map(({ name, params, macs, preprocess }) => ({
      name,
      ...known?.get(name),
      params,
      macs,
      input: preprocess.size[0],
    }));
  }

  private task(planned: PlannedTask): Measured['tasks'][number] {
    const { task, backbone, points } = planned;
    const { targets, train } = task;
    const main = points.at(-1) as PlannedPoint;
    const curve = points
      .slice(0, -1)
      .map((p): CurvePoint => ({ perClass: p.perClass as number, ...this.point(p, task) }));
    const { cells, predictions } = this.point(main, task);
    const taps = backbone ? [] : this.taps(planned);
    const convergence = planned.convergence?.map((at) => ({ steps: at.steps, cells: this.point(at, task).cells }));
    const { perClass } = main;
    return {
      task: backbone ? `${task.name} with ${backbone.name}` : task.name,
      backbone: (backbone ?? this.inputs.backbone).name,
      ...(backbone ? { dataset: task.name } : {}),
      target: task.valued
        ? { kind: task.valued.kind, outputs: [...task.valued.outputs] }
        : { kind: 'class', classes: [...task.classes], ...given({ metric: task.metric }) },
      examples: {
        train: perClass === undefined ? train.labels.length : perClass * task.classes.length,
        ...(task.validation
          ? { validation: task.validation.length }
          : { folds: foldsOf(this.inputs.study.budgets.probe, perClass === undefined ? undefined : { perClass }) }),
        test: task.test.inputs.length,
        ...(train.groups ? { groups: new Set(train.groups).size } : {}),
      },
      split: task.splits,
      ...(perClass === undefined ? {} : { perClass }),
      cells,
      ...(predictions.length > 0 ? { ...truthOf(targets), predictions } : {}),
      ...given({ similar: task.similar, convergence }),
      ...(curve.length > 0 ? { curve } : {}),
      ...(taps.length > 0 ? { taps } : {}),
      warnings: [...task.warnings],
    };
  }

  /** Cells of the same method, one per seed, are one cell of the record. */
  private point({ cells }: Pick<PlannedPoint, 'cells'>, { targets, metric }: PlannedTask['task']) {
    const methods = [...new Set(cells.map((c) => c.method))];
    const predictions = cells.flatMap(({ method, seed, score }) => {
      const { predicted, contributions } = this.result(score) ?? {};
      return predicted || contributions ? [{ method, seed, ...given({ predicted, contributions }) }] : [];
    });
    const own = (method: string) => cells.filter((c) => c.method === method);
    const found = methods.map((m) => this.cell(m, own(m), targets));
    return {
      cells: metric === 'mean per-class accuracy' ? found.map((c) => this.balanced(c, own(c.method))) : found,
      predictions,
    };
  }

  private cell(method: string, cells: readonly Cell[], targets: Targets): CellRecord {
    const results = cells.map(({ score }) => this.result(score));
    const missing = cells.find((_, i) => results[i]?.cell === undefined);
    if (missing) return this.missing(method, missing);
    const runs = cells.map(({ seed }, i) => ({
      seed,
      cell: results[i]?.cell as DoneCell,
      predicted: results[i]?.predicted,
      contributions: results[i]?.contributions,
    }));
    const merged = overSeeds(runs, targets);
    return { ...merged, seconds: this.secondsOf(cells), cost: this.costOf(cells[0] as Cell, merged) };
  }

  /** The cell scored by its mean per-class accuracy. */
  private balanced(cell: CellRecord, runs: readonly Cell[]): CellRecord {
    if (cell.status !== 'done' || cell.meanPerClass === undefined) return cell;
    // Examples of classes count unequally: no number of independent ones stands for its interval.
    const { effectiveN: _, seeds, ...rest } = cell;
    const of = (seed: number) => {
      const run = runs.find((r) => r.seed === seed);
      return run && this.result(run.score)?.cell?.meanPerClass;
    };
    return {
      ...rest,
      score: cell.meanPerClass,
      ...given({ interval: cell.meanPerClassInterval }),
      ...(seeds ? { seeds: seeds.map(({ seed, score }) => ({ seed, score: of(seed) ?? score })) } : {}),
    };
  }

  private missing(method: string, { unit, score }: Cell): CellRecord {
    const { errors, states } = this.outcome;
    const broken = [unit, score].find((u) => errors.has(u.id));
    // The cell's own work, runs that choose its settings included; what breaks below leaves it not run.
    const kinds = [unit.kind.name, score.kind.name, ...(unit.kind.name === training.name ? [trial.name] : [])];
    const own = closure(this.plan, [score.id]);
    const failed = this.plan.units.some(
      (u) => own.has(u.id) && states.get(u.id) === 'failed' && kinds.includes(u.kind.name),
    );
    const error = broken && this.rootError(broken);
    return failed
      ? { status: 'failed', method, error: error ?? 'it failed' }
      : { status: 'not run', method, ...(error ? { error } : {}) };
  }

  /** The error of the unit that broke first among those that this one needs. */
  private rootError(unit: Unit): string | undefined {
    const { errors, states } = this.outcome;
    const needed = closure(this.plan, [unit.id]);
    const first = this.plan.units.find((u) => needed.has(u.id) && states.get(u.id) === 'failed');
    if (!first) return errors.get(unit.id);
    return first.id === unit.id ? errors.get(unit.id) : `${first.label}: ${errors.get(first.id)}`;
  }

  /** Of all units that the cells need, whoever else needs them. */
  private secondsOf(cells: readonly Cell[]): number {
    const all = closure(
      this.plan,
      cells.map((c) => c.unit.id),
    );
    return [...all].reduce((sum, id) => sum + (this.outcome.records.get(id)?.seconds ?? 0), 0);
  }

  /** What somebody who wants this method on this task has to spend, with one seed. */
  private costOf({ unit }: Cell, cell: DoneCell): NonNullable<DoneCell['cost']> {
    const all = closure(this.plan, [unit.id]);
    const trainMacs = this.plan.units.reduce((sum, u) => (all.has(u.id) ? sum + this.trainMacsOf(u) : sum), 0);
    const { storedBytes = 0, analysisMacs } = cell.cost ?? {};
    return { trainMacs, storedBytes, ...given({ analysisMacs }) };
  }

  private trainMacsOf(unit: Unit): number {
    const record = this.outcome.records.get(unit.id);
    if (record?.kind === extraction.name) return resultOf(extraction, record).cost.trainMacs;
    if (record?.kind === training.name) return resultOf(training, record).cost.trainMacs;
    if (record?.kind === trial.name) return resultOf(trial, record).cost.trainMacs;
    if (record?.kind === probe.name) return resultOf(probe, record).sheet?.cell.cost?.trainMacs ?? 0;
    return 0;
  }

  private taps({ extraction: extracted, taps }: PlannedTask): NonNullable<Measured['tasks'][number]['taps']> {
    const probes = new Map((taps && this.result(taps.score)?.taps.map((t) => [t.alias, t] as const)) ?? []);
    return ((extracted && this.result(extracted))?.taps ?? []).map(({ alias, name, depth, features }) => ({
      alias,
      name,
      depth,
      features,
      ...probes.get(alias),
    }));
  }

  private result<R>(unit: Unit<R>): R | undefined {
    const record = this.outcome.records.get(unit.id);
    return record && resultOf(unit.kind, record);
  }
}
