/** Memory that processes at work on one plan share: each takes what its unit is expected to need, and gives it back. */

/** Gives back what was taken. */
export type GiveBack = () => void;

/** Memory that processes share. */
export interface Budget {
  /** @returns undefined where there is no room now */
  take(bytes: number): Promise<GiveBack | undefined>;
}

/** The budget itself, in the one process that keeps it. */
export class MemoryBudget implements Budget {
  #used = 0;

  constructor(private readonly bytes: number) {}

  /** What needs more than there is gets it when nobody else has any. */
  async take(bytes: number): Promise<GiveBack | undefined> {
    if (this.#used > 0 && this.#used + bytes > this.bytes) return undefined;
    this.#used += bytes;
    let taken = bytes;
    return () => {
      this.#used -= taken;
      taken = 0;
    };
  }
}
