/** The engines there are. To add one: a folder that exports its kind, and a row here. */
import { nearest, UserError } from '../base/index.js';
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

export interface EngineOptions extends DeviceOptions<Device> {
  engine: EngineName;
}
/** onnxruntime on every core of the processor. */
export const engineDefaults: EngineOptions = { engine: 'onnxruntime', device: 'cpu', threads: 0 };

/** @throws UserError when there is no such engine, when it has no such device, and when the device is not here */
export async function createEngine(options: Partial<EngineOptions> = {}): Promise<Engine> {
  const { engine, device, threads } = { ...engineDefaults, ...options };
  const kind: EngineKind | undefined = engines.find(({ name }) => name === engine);
  if (!kind) throw new UserError(`there is no engine '${engine}'${hint(engine, engineNames)}`);
  if (!kind.devices.includes(device)) {
    throw new UserError(`engine '${engine}' has no device '${device}'${hint(device, kind.devices)}`);
  }
  return kind.create({ device, threads });
}

function hint(name: string, known: readonly string[]): string {
  const close = nearest(name, known);
  return close === undefined ? `; there is ${known.join(', ')}` : `: did you mean '${close}'?`;
}
