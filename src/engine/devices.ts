/** Which devices a name means: `cuda`, or of several GPUs `cuda:1` and `cuda:0,1`. */
import { UserError } from '../base/index.js';

/** A kind of device, and which ones of it. */
export interface NamedDevices {
  readonly device: string;
  /** By the system's numbers, in the order that was asked for; none where no number is given. */
  readonly ordinals: readonly number[];
}

/** @throws UserError when numbers are none, or one of them is there twice */
export function parseDevices(name: string): NamedDevices {
  const at = name.indexOf(':');
  if (at < 0) return { device: name, ordinals: [] };
  const device = name.slice(0, at);
  const numbers = name.slice(at + 1).split(',');
  if (!numbers.every((number) => /^\d{1,4}$/.test(number)))
    throw new UserError(`device '${name}': numbers of devices come after the colon, for example ${device}:0,1`);
  const ordinals = numbers.map(Number);
  const twice = ordinals.find((ordinal, i) => ordinals.indexOf(ordinal) !== i);
  if (twice !== undefined) throw new UserError(`device '${name}' names ${device}:${twice} twice: name each once`);
  return { device, ordinals };
}

/** How such devices are called. */
export const deviceName = ({ device, ordinals }: NamedDevices): string =>
  ordinals.length > 0 ? `${device}:${ordinals.join()}` : device;
