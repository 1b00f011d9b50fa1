/** Arrays that nobody reads any more, where they are large. */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** Bytes of arrays from which they are looked through. */
const LARGE = 1e9;

let collect: (() => void) | undefined;

/**
 * Frees arrays that nobody reads any more where all of them take more than a gigabyte. The runtime lets as much garbage gather as
 * there is in use, which tables of many examples double their memory by.
 */
export function freeArrays(): void {
  if (process.memoryUsage().arrayBuffers < LARGE) return;
  if (!collect) {
    setFlagsFromString('--expose-gc');
    collect = runInNewContext('gc') as () => void;
  }
  collect();
}
