/**
 * How an extraction uses a machine: batches run beside each other in streams, each with a session of its own. How many there are
 * changes no byte; how many threads a stream has can (a product of matrices is cut otherwise by five threads than by one), so it
 * follows from the network alone, on every machine.
 */
import type { Topology } from '../engine/index.js';

/** Streams of a pass. */
export interface Streams {
  /** How many may be worth trying, the likeliest first; one where there is nothing to choose. */
  readonly choices: readonly number[];
  /** Threads of each. */
  readonly threads: number;
  /** The processors that each keeps to, of as many streams as are ever tried; none where they go where the system puts them. */
  readonly processors: readonly (readonly number[])[];
}

/** What streams are chosen by. */
export interface StreamNeeds {
  /** Threads that the engine may keep busy. */
  readonly budget: number;
  /** Expected bytes of a stream, and of all together. */
  readonly bytes: number;
  readonly memory: number;
  /** Batches of the pass. */
  readonly batches: number;
}

/** A stream of a network with so many bytes has four threads: fewer of them fit, and its products are large enough to share. */
const largeStream = 2 ** 30;
/** With fewer cores there is nothing to choose; in a shorter pass, of so many batches per stream, trying costs more than it gains. */
const leastCores = 4;
const leastRounds = 200;

/** Threads of a stream, by what it holds. */
export const streamThreads = (bytes: number): number => (bytes >= largeStream ? 4 : 1);

/**
 * A stream for each core, or for each group of as many cores as it has threads; in long passes also one for each logical processor
 * where cores have several, and half as many, which ask less of the memory's bandwidth.
 */
export function streamsOf(topology: Topology, { budget, bytes, memory, batches }: StreamNeeds): Streams {
  const threads = streamThreads(bytes);
  const { cores, processors } = topology;
  const within = Math.max(1, Math.floor(memory / bytes));
  const fitting = (places: number) => Math.max(1, Math.min(Math.floor(Math.min(budget, places) / threads), within));
  const first = fitting(cores);
  const tried = [first, ...(budget > cores ? [fitting(processors)] : []), fitting(cores / 2)];
  const isWorthTrying = cores >= leastCores && batches >= leastRounds * first;
  const choices = isWorthTrying ? [...new Set(tried)] : [first];
  return { choices, threads, processors: placesOf(topology, budget, Math.max(...choices)) };
}

/**
 * Streams dealt to NUMA nodes, so that the first ones, however many, are spread evenly over the cores. None where there is one node,
 * or where others have a part of the machine: they would all begin with the same node.
 */
function placesOf({ nodes, cores }: Topology, budget: number, streams: number): (readonly number[])[] {
  const all = nodes.reduce((sum, node) => sum + node.cores, 0);
  if (nodes.length < 2 || budget < cores || cores < all) return [];
  const dealt = nodes.map(() => 0);
  return Array.from({ length: streams }, () => {
    const load = nodes.map((node, i) => ((dealt[i] as number) + 1) / node.cores);
    const next = load.indexOf(Math.min(...load));
    (dealt[next] as number)++;
    return (nodes[next] as (typeof nodes)[number]).processors;
  });
}
