/** Where a unit that trains keeps its checkpoint. */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { UnitContext } from './runner.js';

export const checkpointIn = ({ folder }: Pick<UnitContext, 'folder'>): string => join(folder, 'checkpoint.safetensors');

/** Takes away the checkpoint of a run that came to its end. */
export const forget = (context: Pick<UnitContext, 'folder'>): Promise<void> =>
  rm(checkpointIn(context), { force: true });
