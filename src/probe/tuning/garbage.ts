/** Arrays that nobody reads any more, where they are large. */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** Bytes of arrays from which they are looked through, and by which they have to grow before they are again. */
const LARGE = 1e9;
const GROWN = 2.5e8;

let collect: (() => void) | undefined;
/** Bytes of arrays that were left the last time, or fewer since. */
let left = 0;

/**
 * Frees arrays that nobody reads any more where all of them take more than a gigabyte and have grown since the last time. The
 * runtime lets as much garbage gather as there is in use, which tables of many examples double their memory by.
 */
export function freeArrays(): void {
  const { arrayBuffers } = process.memoryUsage();
  left = Math.min(left, arrayBuffers);
  if (arrayBuffers < LARGE || arrayBuffers < left + GROWN) return;
  if (!collect) {
    setFlagsFromString('--expose-gc');
    collect = runInNewContext('gc') as () => void;
  }
  collect();
  left = process.memoryUsage().arrayBuffers;
}
