/** Signals that ask for an end. */

const signals = ['SIGINT', 'SIGTERM'] as const;

/** A terminal's and the starting process's signal of one key press arrive within this time. */
const onePressMilliseconds = 500;

/**
 * Calls `stop` on the first signal that asks for an end. A later one ends the process at once.
 * @returns takes that back
 */
export function onStop(stop: () => void): () => void {
  let first: number | undefined;
  const listeners = signals.map((signal) => {
    const listener = () => {
      const now = performance.now();
      if (first === undefined) {
        first = now;
        stop();
      } else if (now - first > onePressMilliseconds) {
        process.removeListener(signal, listener);
        process.kill(process.pid, signal);
      }
    };
    process.on(signal, listener);
    return { signal, listener };
  });
  return () => {
    for (const { signal, listener } of listeners) process.removeListener(signal, listener);
  };
}
