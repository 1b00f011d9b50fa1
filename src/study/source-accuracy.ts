/**
 * What is known of networks beforehand: their accuracy on what they were pretrained on, and how they were regularised there.
 * From the config, a CSV file of the study, or source.json beside the model, in this order.
 */
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import * as z from 'zod';
import { fileError, given, parseCsvRows, readJson, UserError } from '../base/index.js';
import type { NetworkRecord } from '../record/index.js';
import type { StudyConfig } from './config/study-config.js';

export type KnownNetwork = Pick<NetworkRecord, 'sourceAccuracy' | 'source' | 'pretraining'>;

/** The sidecar of a model. */
export const sourceFile = 'source.json';
const Sidecar = z.strictObject({
  accuracy: z.number().gt(0).lt(1).optional(),
  source: z.string().min(1).optional(),
  pretraining: z
    .strictObject({
      bnScale: z.boolean().optional(),
      labelSmoothing: z.boolean().optional(),
      dropout: z.boolean().optional(),
      auxHead: z.boolean().optional(),
    })
    .optional(),
});

/** What is known of each network of the config. @throws UserError on a file that makes no sense */
export async function knownNetworks(study: StudyConfig): Promise<Map<string, KnownNetwork>> {
  const { config } = study;
  const listed = config.sourceAccuracy === undefined ? new Map() : await readTable(study.path(config.sourceAccuracy));
  const names = Object.keys(config.backbones);
  if (listed.size > 0 && !names.some((name) => listed.has(name))) {
    throw study.error(
      ['sourceAccuracy'],
      `${config.sourceAccuracy} names none of the networks (${names.join(', ')}): its first column holds their names`,
    );
  }
  const known = new Map<string, KnownNetwork>();
  for (const [name, { model, sourceAccuracy, source, pretraining }] of Object.entries(config.backbones)) {
    const beside = await readSidecar(join(dirname(study.path(model)), sourceFile));
    known.set(name, { ...beside, ...listed.get(name), ...given({ sourceAccuracy, source, pretraining }) });
  }
  return known;
}

async function readSidecar(path: string): Promise<KnownNetwork> {
  const value = await readJson(path, 'correct it or delete it');
  if (value === undefined) return {};
  const parsed = Sidecar.safeParse(value);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw new UserError(`${path}: ${issue?.path.join('.') || 'it'}: ${issue?.message}; accuracies are fractions of 1`);
  }
  const { accuracy, ...rest } = parsed.data;
  return given({ sourceAccuracy: accuracy, ...rest });
}

/** Rows of network, accuracy and, where networks have several sources, what they were pretrained on. */
async function readTable(path: string): Promise<Map<string, KnownNetwork>> {
  const text = await readFile(path, 'utf8').catch((error) => {
    throw fileError(error, path);
  });
  const [header, ...rows] = parseCsvRows(text, path);
  const titles = header?.cells.map((cell) => cell.toLowerCase()) ?? [];
  const at = (title: string) => titles.indexOf(title);
  if (at('network') < 0 || at('accuracy') < 0) {
    throw new UserError(
      `${path}: the first line must name the columns network,accuracy, and source where there are several`,
    );
  }
  return new Map(
    rows.map(({ line, cells }) => {
      const accuracy = Number(cells[at('accuracy')]);
      if (!(accuracy > 0 && accuracy < 1)) {
        throw new UserError(
          `${path} line ${line}: the accuracy '${cells[at('accuracy')]}' is no fraction between 0 and 1; write 0.761 for 76.1 %`,
        );
      }
      const source = cells[at('source')];
      return [cells[at('network')] as string, { sourceAccuracy: accuracy, ...(source ? { source } : {}) }];
    }),
  );
}
