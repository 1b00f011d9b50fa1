/** What an engine does not take or cannot run: the node and the fact, in words of our own. */
import { WorkError } from '../base/index.js';

/** `shape`: the node runs, but not on what it is given here. `graph`: it runs on nothing. */
export type RefusalKind = 'shape' | 'graph';

/** Never a mistake of the request by itself: whoever asked for the program knows which request led to the graph. */
export class Refusal extends WorkError {
  constructor(
    readonly kind: RefusalKind,
    /** One sentence that names the node. */
    message: string,
  ) {
    super(message);
  }
}
