/** toehold doctor: engines, devices, versions, and the one line that fixes what is missing. */
import { spawnSync } from 'node:child_process';
import { totalmem } from 'node:os';
import type { Command } from 'commander';
import { messageOf, UserError } from '../base/index.js';
import { type EngineKind, engineDefaults, engines, machineTopology, type Topology } from '../engine/index.js';
import { streamsOf } from '../features/index.js';
import { printJson, printText } from './output.js';

interface Check {
  readonly name: string;
  readonly ok: boolean;
  readonly detail: string;
  /** Whether toehold works without it. */
  readonly required: boolean;
}

export function registerDoctor(program: Command): void {
  program
    .command('doctor')
    .description('what works here: engines, devices, libraries, and how to get what is missing')
    .option('--json', 'print one JSON document')
    .action(async ({ json }: { json?: boolean }) => {
      const checks = [checkNode(), await checkSharp(), ...(await Promise.all(engines.map(checkEngine))).flat()];
      const topology = machineTopology();
      const machine = `${describeProcessors(topology)}, ${(totalmem() / 2 ** 30).toFixed(0)} GB, ${process.platform} ${process.arch}`;
      const ok = checks.every((check) => check.ok || !check.required);
      if (json) printJson({ ok, machine, topology, checks });
      else {
        const lines = checks.map(({ ok, name, detail }) => `${ok ? 'ok' : '--'}  ${name}${detail && `: ${detail}`}`);
        printText([...lines, '', machine, describeStreams(topology)]);
      }
      if (!ok) process.exitCode = 1;
    });
}

/** "128 processors on 64 cores, 2 NUMA nodes". */
export function describeProcessors({ processors, cores, nodes, quota }: Topology): string {
  return [
    processors === cores ? `${cores} cores` : `${processors} processors on ${cores} cores`,
    ...(nodes.length > 1 ? [`${nodes.length} NUMA nodes`] : []),
    ...(quota === undefined ? [] : [`a quota of ${quota} processors`]),
  ].join(', ');
}

/** What an extraction makes of it, where memory allows. */
function describeStreams(topology: Topology): string {
  const needs = {
    budget: topology.processors,
    bytes: 1,
    memory: Number.POSITIVE_INFINITY,
    batches: Number.POSITIVE_INFINITY,
  };
  const { choices, processors } = streamsOf(topology, needs);
  const [first, ...others] = choices;
  const tried = others.length > 0 ? `; long ones try ${others.join(' and ')} too` : '';
  const hasTaskset = processors.length > 0 && spawnSync('taskset', ['--version']).status === 0;
  const kept =
    processors.length === 0
      ? ''
      : hasTaskset
        ? ', kept to their nodes'
        : '; taskset (util-linux) would keep them to their nodes';
  return `extraction: ${first} ${first === 1 ? 'stream' : 'streams'} of one thread${kept}${tried}`;
}

function checkNode(): Check {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  const ok = major > 20 || (major === 20 && minor >= 19);
  const detail = ok ? '' : 'toehold needs 20.19 or newer: install a current Node';
  return { name: `Node ${process.versions.node}`, ok, detail, required: true };
}

/** @param version loads a library; returns its name and version */
async function checkLibrary(name: string, required: boolean, version: () => Promise<string>): Promise<Check> {
  try {
    return { name: await version(), ok: true, detail: '', required };
  } catch (error) {
    const message = messageOf(error).split('\n')[0] as string;
    // What is there and does not load says itself what to do.
    return {
      name,
      ok: false,
      detail: error instanceof UserError ? message : `reinstall with npm ci (${message})`,
      required,
    };
  }
}

function checkSharp(): Promise<Check> {
  return checkLibrary('sharp', true, async () => `sharp ${(await import('sharp')).default.versions.sharp}`);
}

/** The library of an engine, then its devices. */
async function checkEngine(kind: EngineKind): Promise<Check[]> {
  const isDefault = kind.name === engineDefaults.engine;
  const devices = kind.devices.map(async (device): Promise<Check> => {
    const check = {
      name: `device ${device}${isDefault ? '' : ` (${kind.name})`}`,
      required: isDefault && device === engineDefaults.device,
    };
    try {
      const { threads } = await kind.create({ device, threads: 0 });
      return { ...check, ok: true, detail: device === 'cpu' ? `${threads} threads` : '' };
    } catch (error) {
      return { ...check, ok: false, detail: messageOf(error).replace(/^device '.*?' is not available here: /, '') };
    }
  });
  return [await checkLibrary(kind.name, isDefault, () => kind.library()), ...(await Promise.all(devices))];
}
