/** Learning-rate schedules. */

export const scheduleKinds = ['constant', 'cosine', 'step'] as const;

/** How the learning rate goes over the steps. */
export interface Schedule {
  /**
   * `cosine`: half a cosine from the peak to zero (Loshchilov and Hutter, 2017).
   * `step`: times `factor` at every milestone. `constant`: the peak throughout.
   */
  kind: (typeof scheduleKinds)[number];
  /** Steps of linear warm-up from peak / warmup to the peak; they are part of the run's steps. */
  warmup: number;
  /** Fractions of the run at which `step` decays. Yosinski et al. (2014): every 100,000 of 450,000 steps. */
  milestones: readonly number[];
  /** Factor of `step`. */
  factor: number;
}

/** Half a cosine without warm-up. */
export const scheduleDefaults: Schedule = {
  kind: 'cosine',
  warmup: 0,
  milestones: [2 / 9, 4 / 9, 6 / 9, 8 / 9],
  factor: 0.1,
};

/**
 * Factor on the peak learning rate in one step of a run.
 * @param step counted from 0
 * @param steps of the whole run
 */
export function scheduleFactor(schedule: Schedule, step: number, steps: number): number {
  const { kind, warmup, milestones, factor } = schedule;
  if (step < warmup) return (step + 1) / warmup;
  if (kind === 'constant') return 1;
  if (kind === 'step') return factor ** milestones.filter((m) => step >= Math.round(m * steps)).length;
  return (1 + Math.cos((Math.PI * (step - warmup)) / Math.max(1, steps - warmup))) / 2;
}

/**
 * Momentum of running statistics, in the sense running <- m * running + (1 - m) * batch: max(1 - 10 / s, 0.9), where s
 * is the number of steps per epoch (Kornblith, Shlens and Le, 2019).
 */
export function kornblithNormMomentum(stepsPerEpoch: number): number {
  return Math.max(1 - 10 / stepsPerEpoch, 0.9);
}
