/** Memory, cores and accelerators that processes at work on one plan share: each takes what its unit needs, and gives it back. */

/** What a unit needs while it is at work, or what there is. */
export interface Resources {
  /** Expected. */
  readonly bytes: number;
  readonly cores: number;
  /** Accelerators that it needs for itself, by name; of what there is, none need be listed. */
  readonly accelerators?: readonly string[];
}

/** Gives back what was taken. */
export type GiveBack = () => void;

/** What processes share. */
export interface Budget {
  /** @returns undefined where there is no room now */
  take(need: Resources): Promise<GiveBack | undefined>;
}

/** The budget itself, in the one process that keeps it. */
export class SharedBudget implements Budget {
  #taken = new Set<Resources>();

  constructor(private readonly all: Resources) {}

  /** What needs more than there is gets it when nobody else has any. */
  async take(need: Resources): Promise<GiveBack | undefined> {
    const used = (of: 'bytes' | 'cores') => [...this.#taken].reduce((sum, taken) => sum + taken[of], need[of]);
    const held = new Set([...this.#taken].flatMap(({ accelerators = [] }) => accelerators));
    const isFree = (need.accelerators ?? []).every((name) => !held.has(name));
    const fits = isFree && used('bytes') <= this.all.bytes && used('cores') <= this.all.cores;
    if (this.#taken.size > 0 && !fits) return undefined;
    const own = { ...need };
    this.#taken.add(own);
    return () => {
      this.#taken.delete(own);
    };
  }
}
