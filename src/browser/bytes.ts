/** A model's bytes, from where it lies. */
import { UserError } from '../base/index.js';

/** Bytes, or the address of a file that `fetch` reads. */
export type ModelSource = Uint8Array | ArrayBuffer | URL | string;

/** @throws UserError when the address gives nothing */
export async function modelBytes(source: ModelSource): Promise<Uint8Array> {
  if (source instanceof Uint8Array) return source;
  if (source instanceof ArrayBuffer) return new Uint8Array(source);
  const response = await fetch(source).catch((error: unknown) => {
    throw new UserError(`the model cannot be fetched from ${source}: ${String(error)}`);
  });
  if (!response.ok) throw new UserError(`the model cannot be fetched from ${source}: status ${response.status}`);
  return new Uint8Array(await response.arrayBuffer());
}

/** How messages call it. */
export const sourceName = (source: ModelSource): string =>
  typeof source === 'string' || source instanceof URL ? String(source) : 'the model';
