/**
 * The processors of a machine, as far as this process may use them: cores, NUMA nodes and a container's quota as Linux tells them
 * in /sys and /proc; elsewhere every processor counts as a core.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';

/** Processors beside one memory. */
export interface NumaNode {
  /** Numbers of the logical processors that this process may run on. */
  readonly processors: readonly number[];
  /** Physical cores that these are threads of. */
  readonly cores: number;
}

/** What a process may use. */
export interface Topology {
  /** Logical processors that it may keep busy: those that it may run on, or its container's quota where that is less. */
  readonly processors: number;
  /** Physical cores that it may keep busy. */
  readonly cores: number;
  /** Nodes that it may run on; none where the system does not tell. */
  readonly nodes: readonly NumaNode[];
  /** Processors' time that its container gets, where it is limited. */
  readonly quota?: number | undefined;
}

/** What a system says of its processors. */
export interface ProcessorFacts {
  /** Logical processors that the process may run on. */
  readonly allowed: readonly number[];
  /** Of a logical processor, the name of its core; a processor without one is a core by itself. */
  readonly coreOf: ReadonlyMap<number, string>;
  /** Logical processors of each NUMA node. */
  readonly nodes: readonly (readonly number[])[];
  /** Seconds of processor time per second. */
  readonly quota?: number | undefined;
}

/** What follows from what a system says. */
export function topologyOf({ allowed, coreOf, nodes, quota }: ProcessorFacts): Topology {
  const may = new Set(allowed);
  const cores = (of: readonly number[]) => new Set(of.map((n) => coreOf.get(n) ?? `processor ${n}`)).size;
  // A part of a processor is none that could be kept busy.
  const most = quota === undefined ? Number.POSITIVE_INFINITY : Math.max(1, Math.floor(quota));
  return {
    processors: Math.min(most, may.size),
    cores: Math.min(most, cores(allowed)),
    nodes: nodes
      .map((all) => all.filter((n) => may.has(n)))
      .filter((own) => own.length > 0)
      .map((own) => ({ processors: own, cores: cores(own) })),
    quota,
  };
}

/**
 * Reads what Linux tells.
 * @param root of the file system
 * @param processors how many there are where nothing is told
 */
export function readTopology(root = '/', processors = availableParallelism()): Topology {
  const cpus = join(root, 'sys/devices/system/cpu');
  const online = numbersOf(read(join(cpus, 'online')));
  const allowed = numbersOf(/^Cpus_allowed_list:\s*(\S+)/m.exec(read(join(root, 'proc/self/status')))?.[1] ?? '');
  const own = allowed.length > 0 && online.length > 0 ? allowed.filter((n) => online.includes(n)) : online;
  const coreOf = new Map<number, string>();
  for (const n of own) {
    const siblings = read(join(cpus, `cpu${n}/topology/thread_siblings_list`)).trim();
    if (siblings !== '') coreOf.set(n, siblings);
  }
  const nodes = join(root, 'sys/devices/system/node');
  return topologyOf({
    allowed: own.length > 0 ? own : Array.from({ length: processors }, (_, n) => n),
    coreOf,
    nodes: names(nodes)
      .flatMap((name) => /^node(\d+)$/.exec(name)?.[1] ?? [])
      .sort((a, b) => Number(a) - Number(b))
      .map((n) => numbersOf(read(join(nodes, `node${n}`, 'cpulist')))),
    quota: readQuota(root),
  });
}

let ofThisMachine: Topology | undefined;

/** Of this machine and process, read once. */
export function machineTopology(): Topology {
  ofThisMachine ??= readTopology();
  return ofThisMachine;
}

/** The smallest quota of the process's control group and of those above it, in both of Linux' hierarchies. */
function readQuota(root: string): number | undefined {
  const quotas: number[] = [];
  for (const line of read(join(root, 'proc/self/cgroup')).split('\n')) {
    const [, controllers, path] = /^\d+:([^:]*):(\/.*)$/.exec(line) ?? [];
    if (controllers === undefined || path === undefined) continue;
    const isSecond = controllers === '';
    if (!isSecond && !controllers.split(',').includes('cpu')) continue;
    const mounts = isSecond ? [''] : [controllers, 'cpu'];
    // A container may see its own group as the root of the tree, whatever the path says.
    const parts = path.split('/').filter((part) => part !== '');
    for (let depth = parts.length; depth >= 0; depth--) {
      for (const mount of mounts) {
        const group = join(root, 'sys/fs/cgroup', mount, ...parts.slice(0, depth));
        const [most, period] = isSecond
          ? read(join(group, 'cpu.max')).trim().split(' ')
          : [read(join(group, 'cpu.cfs_quota_us')), read(join(group, 'cpu.cfs_period_us'))];
        const quota = Number(most) / Number(period);
        if (most && quota > 0) quotas.push(quota);
      }
    }
  }
  return quotas.length > 0 ? Math.min(...quotas) : undefined;
}

/** "0-2,8" -> 0, 1, 2, 8. */
function numbersOf(list: string): number[] {
  return list
    .trim()
    .split(',')
    .flatMap((range) => {
      const [, first, last = first] = /^(\d+)(?:-(\d+))?$/.exec(range) ?? [];
      if (first === undefined) return [];
      return Array.from({ length: Number(last) - Number(first) + 1 }, (_, i) => Number(first) + i);
    });
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

function names(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
