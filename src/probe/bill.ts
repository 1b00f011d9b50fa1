/** What a method costs, with the work that it shares with others of its run: every piece counts once, whoever made it. */
import type { Engine } from '../engine/index.js';
import { macsOf } from '../solver/index.js';

/** Multiply-adds of matrix products, and wall-clock seconds. */
export interface Cost {
  readonly macs: number;
  readonly seconds: number;
}

/** A piece of shared work: what it took by itself, and the pieces that it needed. */
interface Piece {
  own: Cost;
  readonly needs: Set<Piece>;
}

const nothing: Cost = { macs: 0, seconds: 0 };
const sum = (a: Cost, b: Cost, sign = 1): Cost => ({
  macs: a.macs + sign * b.macs,
  seconds: a.seconds + sign * b.seconds,
});

/** What is being done, one thing within another. */
class Bill {
  /** Of pieces that were made within. */
  made = nothing;
  readonly needs = new Set<Piece>();
  readonly #engine: Engine;
  readonly #began: Cost;

  constructor(engine: Engine) {
    this.#engine = engine;
    this.#began = this.#now();
  }

  #now(): Cost {
    return { macs: macsOf(this.#engine).done, seconds: performance.now() / 1000 };
  }

  get elapsed(): Cost {
    return sum(this.#now(), this.#began, -1);
  }
  /** Without the pieces that were made within. */
  get own(): Cost {
    return sum(this.elapsed, this.made, -1);
  }
  /** With every piece that was needed, whenever it was made. */
  get total(): Cost {
    const counted = new Set<Piece>();
    const count = (pieces: Iterable<Piece>) => {
      for (const piece of pieces) {
        if (counted.has(piece)) continue;
        counted.add(piece);
        count(piece.needs);
      }
    };
    count(this.needs);
    return [...counted].reduce((cost, { own }) => sum(cost, own), this.own);
  }
}

const open = new WeakMap<Engine, Bill[]>();

function billsOf(engine: Engine): Bill[] {
  const bills = open.get(engine) ?? [];
  open.set(engine, bills);
  return bills;
}

/** Does `work` under a bill of its own; `total` may be asked for while it goes on. */
export async function billed<T>(engine: Engine, work: (total: () => Cost) => Promise<T>): Promise<T> {
  const bills = billsOf(engine);
  const bill = new Bill(engine);
  bills.push(bill);
  try {
    return await work(() => bill.total);
  } finally {
    bills.splice(bills.indexOf(bill), 1);
  }
}

/** Work that is made once, when it is first asked for, and counts for everyone who needs it. Asked for one at a time. */
export class SharedWork<T> {
  readonly #engine: Engine;
  readonly #work: () => Promise<T>;
  readonly #piece: Piece = { own: nothing, needs: new Set() };
  #result: Promise<T> | undefined;

  constructor(engine: Engine, work: () => Promise<T>) {
    this.#engine = engine;
    this.#work = work;
  }

  /** What it comes to, on the bill of whoever asks. */
  ask(): Promise<T> {
    const within = billsOf(this.#engine).at(-1);
    within?.needs.add(this.#piece);
    this.#result ??= this.#make(within);
    return this.#result;
  }

  async #make(within: Bill | undefined): Promise<T> {
    const bills = billsOf(this.#engine);
    const bill = new Bill(this.#engine);
    bills.push(bill);
    try {
      return await this.#work();
    } finally {
      bills.splice(bills.indexOf(bill), 1);
      this.#piece.own = bill.own;
      for (const piece of bill.needs) this.#piece.needs.add(piece);
      if (within) within.made = sum(within.made, bill.elapsed);
    }
  }
}
