/** The engines there are. To add one: a folder that exports its kind, and a row here. */
import { nearest, UserError } from '../base/index.js';
import { parseDevices } from './devices.js';
import type { DeviceOptions, Engine, EngineKind } from './engine.js';
import { onnxruntime } from './onnxruntime/index.js';
import { tfjs } from './tfjs/index.js';

/** Every engine there is. */
export const engines = [onnxruntime, tfjs] as const satisfies readonly EngineKind[];

/** The name of an engine. */
export type EngineName = (typeof engines)[number]['name'];
/** The name of a device that some engine knows. */
export type Device = (typeof engines)[number]['devices'][number];

/** Names of all engines. */
export const engineNames = engines.map(({ name }) => name) as [EngineName, ...EngineName[]];
/** Every device that some engine knows. */
export const devices = [...new Set(engines.flatMap((kind): readonly Device[] => kind.devices))];

/** Which engine, where it runs, and how wide. */
export interface EngineOptions extends Pick<DeviceOptions, 'threads'> {
  engine: EngineName;
  /** With numbers where there are several of a kind: 'cuda:1', 'cuda:0,1'. */
  device: Device | `${Device}:${string}`;
}
/** onnxruntime on every core of the processor. */
export const engineDefaults: EngineOptions & { readonly device: Device } = {
  engine: 'onnxruntime',
  device: 'cpu',
  threads: 0,
};

/** @throws UserError when there is no such engine, when it has no such device, and when a device is not here */
export async function createEngine(options: Partial<EngineOptions> = {}): Promise<Engine> {
  const { engine, device: name, threads } = { ...engineDefaults, ...options };
  const { device, ordinals } = parseDevices(name);
  const kind: EngineKind | undefined = engines.find(({ name }) => name === engine);
  if (!kind) throw new UserError(`there is no engine '${engine}'${hint(engine, engineNames)}`);
  if (!kind.devices.includes(device)) {
    throw new UserError(`engine '${engine}' has no device '${device}'${hint(device, kind.devices)}`);
  }
  if (ordinals.length > 0 && !kind.numbered?.includes(device)) {
    throw new UserError(`device '${name}': engine '${engine}' takes no numbers for '${device}': leave them out`);
  }
  return kind.create({ device, ordinals, threads });
}

function hint(name: string, known: readonly string[]): string {
  const close = nearest(name, known);
  return close === undefined ? `; there is ${known.join(', ')}` : `: did you mean '${close}'?`;
}
