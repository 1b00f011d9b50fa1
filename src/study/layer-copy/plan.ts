/** The units of a layer-copy study: learning rates, bases, then everything that copies from them. */
import { type CopyTreatment, type Half, treatmentAt } from '../../record/index.js';
import type { TreatmentName } from '../../transfer/index.js';
import type { CopyBudget } from '../config/budgets.js';
import { assumedPace } from '../pace.js';
import { type Plan, PlanBuilder, processBytes, type Unit, type UnitKind } from '../plan.js';
import type { StudyInputs } from '../protocols/protocol.js';
import type { StudyTask } from '../tasks.js';
import { type ClassSplit, type HalfRows, type Halves, otherHalf } from './halves.js';
import {
  type CopyResult,
  type CopyScoreResult,
  copy,
  copyScore,
  type LayersScoreResult,
  layers,
  layersScore,
  rate,
} from './kinds.js';
import { modelFile } from './lessons.js';
import type { NetworkLayers } from './network.js';

export interface CopyStudy {
  readonly inputs: StudyInputs;
  readonly task: StudyTask;
  readonly network: NetworkLayers;
  readonly halves: Halves;
  readonly budget: CopyBudget;
}

/** A network of the study, and its units. */
export interface PlannedCopy {
  readonly split: string;
  readonly target: Half;
  readonly treatment: CopyTreatment;
  readonly n?: number | undefined;
  readonly preserve?: number | undefined;
  readonly perClass?: number | undefined;
  readonly seed: number;
  readonly unit: Unit<CopyResult>;
  readonly score: Unit<CopyScoreResult>;
}

export interface PlannedLayers {
  readonly split: string;
  readonly target: Half;
  readonly seed: number;
  readonly score: Unit<LayersScoreResult>;
}

/** Training images that the probes on layers learn from. */
const probedRows = 1000;
/** Seconds of a probe on a layer, at so many rows. */
const probeSeconds = 2;

export class CopyPlan {
  readonly networks: PlannedCopy[] = [];
  readonly probed: PlannedLayers[] = [];
  readonly #plan = new PlanBuilder();
  readonly #rates: Unit[];

  constructor(readonly study: CopyStudy) {
    const {
      inputs,
      halves: { splits },
    } = study;
    this.#rates = this.#tryRates();
    for (const split of splits) for (const seed of inputs.study.config.seeds) this.#family(split, seed);
  }

  build(): Plan {
    return this.#plan.build();
  }

  /** Numbers of copied layers: those after which one value is passed on, unless the config says which. */
  get depths(): number[] {
    const { layers } = this.study.budget;
    if (layers) return [...new Set(layers)].sort((a, b) => a - b);
    const below = this.study.network.layers.slice(0, -1);
    const between = below.filter((l) => l.crossing === 1);
    return (between.length > 0 ? between : below).map((l) => l.n);
  }

  /** Files of bases and the largest checkpoint on disk; weights, their gradients and moments, and a batch's values in memory. */
  get bytes(): { disk: number; memory: number } {
    const { backbone } = this.study.inputs;
    const bases = this.networks.filter((c) => c.unit.outputs.length > 0).length;
    return { disk: 4 * backbone.params * (bases + 2) + 2000 * this.networks.length, memory: this.#trainBytes };
  }

  get #trainBytes(): number {
    const { backbone, study } = this.study.inputs;
    return 4 * (4 * backbone.params + 2 * study.budgets.train.batch * this.study.network.activations);
  }

  /** All networks of one split and one seed. */
  #family(split: ClassSplit, seed: number): void {
    const { budget } = this.study;
    const depths = this.depths;
    const further = budget.trainedLayers ?? depths;
    const halves = ['A', 'B'] as const;
    const bases = new Map(
      halves.map((half) => [half, this.#network({ split, target: half, treatment: 'base', seed })]),
    );
    const base = (half: Half) => bases.get(half) as PlannedCopy;
    for (const target of halves) {
      for (const perClass of budget.reduced) this.#network({ split, target, treatment: 'base', perClass, seed });
      for (const treatment of budget.treatments) {
        const source = treatment.startsWith('A') ? otherHalf(target) : target;
        for (const n of treatment.endsWith('+') ? depths.filter((d) => further.includes(d)) : depths) {
          const from = treatment === 'random' ? undefined : base(source);
          this.#network({ split, target, treatment, n, seed, from });
          if (treatment !== 'BnB' && treatment !== 'AnB') continue;
          for (const preserve of budget.preserve) {
            if (n + preserve <= this.study.network.layers.length - 1)
              this.#network({ split, target, treatment, n, preserve, seed, from });
          }
        }
      }
      if (budget.probes) this.#probe(split, target, seed, base(target), base(otherHalf(target)));
    }
  }

  #tryRates(): Unit[] {
    const { inputs, halves } = this.study;
    const [split] = halves.splits as [ClassSplit, ...ClassSplit[]];
    const [seed] = inputs.study.config.seeds as [number, ...number[]];
    const half = this.#half(split, 'A');
    return inputs.study.budgets.train.learningRates.map((learningRate) =>
      this.#plan.add(rate, {
        label: `${split.name}: learning rate ${learningRate} on half ${split.A.name}`,
        inputs: { ...this.#regime(split, 'A'), target: this.#target(split, 'A'), learningRate, seed },
        sources: { split: split.name, half: 'A' },
        seconds: this.#seconds(half.train.length, 0),
        memory: processBytes + this.#trainBytes,
      }),
    );
  }

  #network(
    wanted: Omit<PlannedCopy, 'unit' | 'score' | 'split'> & { split: ClassSplit; from?: PlannedCopy | undefined },
  ): PlannedCopy {
    const { split, target, treatment, n, preserve, perClass, seed, from } = wanted;
    const { inputs, budget } = this.study;
    const half = this.#half(split, target);
    const kind = treatment === 'base' ? 'base' : treatmentAt(treatment, n);
    const details = [
      kind,
      `half ${split[target].name}`,
      ...(preserve === undefined ? [] : [`${preserve} more copied`]),
      ...(perClass === undefined ? [] : [`${perClass} per class`]),
      ...(inputs.study.config.seeds.length > 1 ? [`seed ${seed}`] : []),
    ];
    const label = `${split.name}: ${details.join(', ')}`;
    const frozen = treatment === 'base' || treatment.endsWith('+') ? 0 : (n as number);
    const rows = perClass === undefined ? half.train.length : perClass * split[target].classes.length;
    const sources = { split: split.name, half: target };
    const calibrated = budget.norms === 'calibrated' && frozen > 0 && treatment !== 'random';
    const unit = this.#plan.add(copy, {
      label,
      inputs: {
        ...this.#regime(split, target),
        target: this.#target(split, target),
        perClass: perClass ?? null,
        treatment: {
          name: preserve === undefined ? nameOf(treatment) : 'preserve',
          ...(n === undefined ? {} : { layers: n }),
          ...(preserve === undefined ? {} : { preserve }),
        },
        ...(calibrated ? { norms: 'calibrated' as const } : {}),
        learningRates: inputs.study.budgets.train.learningRates,
        seed,
        test: half.testKey,
        evaluations: budget.evaluations,
      },
      needs: [...this.#rates, ...(from ? [from.unit] : [])],
      outputs: treatment === 'base' && perClass === undefined ? [modelFile] : [],
      sources,
      seconds: this.#seconds(rows, frozen) + half.test.length * 0.0005,
      memory: processBytes + this.#trainBytes,
    });
    const score = this.#scored(copyScore, unit, half);
    const planned = { split: split.name, target, treatment, n, preserve, perClass, seed, unit, score };
    this.networks.push(planned);
    return planned;
  }

  #probe(split: ClassSplit, target: Half, seed: number, own: PlannedCopy, other: PlannedCopy): void {
    const { inputs } = this.study;
    const { folds, tolerance, l2 } = inputs.study.budgets.probe;
    const half = this.#half(split, target);
    const sources = { split: split.name, half: target };
    const { name, device } = inputs.engine;
    const depths = this.depths;
    const label = `${split.name}: every layer on half ${split[target].name}${inputs.study.config.seeds.length > 1 ? `, seed ${seed}` : ''}`;
    const unit = this.#plan.add(layers, {
      label,
      inputs: {
        target: this.#target(split, target),
        test: half.testKey,
        pool: inputs.backbone.pool,
        rows: Math.min(probedRows, half.train.length),
        layers: depths,
        preprocess: { ...inputs.backbone.preprocess },
        seed,
        options: { folds, tolerance, l2: [...l2] },
        engine: { name, device },
      },
      needs: [own.unit, other.unit],
      sources,
      seconds: 2 * depths.length * probeSeconds * (folds / 5) + 0.002 * half.test.length,
    });
    const score = this.#scored(layersScore, unit, half);
    this.probed.push({ split: split.name, target, seed, score });
  }

  #scored<R>(kind: UnitKind<{ labels: string }, R>, unit: Unit, { labelKey }: HalfRows): Unit<R> {
    const { label, sources } = unit;
    const inputs = { labels: labelKey };
    return this.#plan.add(kind, { label: `${label}: score`, inputs, needs: [unit], sources, seconds: 0.01 });
  }

  #half(split: ClassSplit, half: Half): HalfRows {
    return this.study.halves.of(split.name, half);
  }

  #target(split: ClassSplit, half: Half) {
    return { split: split.name, half, train: this.#half(split, half).trainKey };
  }

  #regime(split: ClassSplit, half: Half) {
    const { inputs, budget } = this.study;
    const { train } = inputs.study.budgets;
    const { name, device, threads } = inputs.engine;
    return {
      network: inputs.backbone.name,
      classes: split[half].classes.length,
      preprocess: { ...inputs.backbone.preprocess },
      budget: {
        epochs: train.epochs,
        steps: train.steps ?? null,
        batch: train.batch,
        weightDecay: train.weightDecay,
        augment: train.augment,
        held: budget.held,
      },
      engine: { name, device, threads },
    };
  }

  /** Frozen layers run once per image, and have no backward pass; where images are cropped they run in every step. */
  #seconds(rows: number, frozen: number): number {
    const { inputs, network, budget } = this.study;
    const { epochs, steps, batch, augment } = inputs.study.budgets.train;
    const pace = inputs.paces?.get(inputs.backbone.name) ?? assumedPace(inputs.engine);
    const whole = network.layers.at(-1)?.macs ?? 0;
    const below = frozen > 0 ? (network.layers[frozen - 1]?.macs ?? 0) : 0;
    const learned = rows * (1 - budget.held);
    const passes = steps === undefined ? epochs * learned : steps * batch;
    const prefix = below * (augment === 'none' ? learned : passes);
    return pace.start + (prefix + 3 * (whole - below) * passes) * pace.perMac;
  }
}

const nameOf = (treatment: CopyTreatment): TreatmentName =>
  treatment === 'base' ? 'baseB' : treatment === 'random' ? 'random-n' : treatment;
