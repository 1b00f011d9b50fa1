/** Networks to train from scratch, as graphs with freshly drawn weights. */
import * as z from 'zod';
import { nearest, UserError } from '../../base/index.js';
import type { Graph } from '../../ir/index.js';
import { initialisations } from '../initialisation.js';
import { type ArchitectureOptions, architectureKey } from './architecture-builder.js';
import { caffenet, caffenet32 } from './caffenet.js';
import { mobilenetv2 } from './mobilenetv2.js';
import { cifarResNet, resnet50 } from './resnet.js';
import { vitTiny } from './vit.js';

/** A network that can be made from its name alone. */
export interface Architecture {
  readonly defaults: ArchitectureOptions;
  /** The network, with its weights still to be initialised. */
  readonly build: (options: ArchitectureOptions) => Graph;
}

const defaults: ArchitectureOptions = { classes: 1000, size: 224, seed: 0, init: 'he' };
const cifar: ArchitectureOptions = { ...defaults, classes: 10, size: 32 };

/** Architectures by name. */
export const architectures: Readonly<Record<string, Architecture>> = {
  caffenet: { defaults: { ...defaults, size: 227, init: 'gaussian' }, build: caffenet },
  'caffenet-32': { defaults: cifar, build: caffenet32 },
  ...Object.fromEntries(
    [20, 32, 44, 56].map((depth): [string, Architecture] => {
      const name = `resnet${depth}`;
      return [name, { defaults: cifar, build: (options) => cifarResNet(name, depth, options) }];
    }),
  ),
  resnet50: { defaults, build: resnet50 },
  mobilenetv2: { defaults, build: mobilenetv2 },
  'vit-tiny': { defaults: { ...defaults, init: 'truncated' }, build: vitTiny },
};

/** The architecture that a network says it is, and how its weights were drawn; undefined where it says none that is known. */
export function architectureOf({
  metadata,
}: Graph): (Pick<ArchitectureOptions, 'init'> & { name: string }) | undefined {
  const parsed = Card.safeParse(jsonOf(metadata.get(architectureKey)));
  return parsed.success && Object.hasOwn(architectures, parsed.data.name) ? parsed.data : undefined;
}

const Card = z.object({ name: z.string(), init: z.enum(initialisations) });

function jsonOf(text: string | undefined): unknown {
  try {
    return text === undefined ? undefined : JSON.parse(text);
  } catch {
    return undefined;
  }
}

/**
 * A network with input `input` (N, 3, size, size) and outputs `logits` (N, classes) and `features` (N, width): live
 * batch normalisations, dropout where it has it, weights drawn from `seed`. Options not given are the architecture's.
 * @throws UserError for an unknown name, or a size that the network cannot take.
 */
export function buildArchitecture(name: string, options: Partial<ArchitectureOptions> = {}): Graph {
  const architecture = Object.hasOwn(architectures, name) ? architectures[name] : undefined;
  if (!architecture) {
    const names = Object.keys(architectures);
    const close = nearest(name, names);
    throw new UserError(
      `there is no architecture '${name}'${close ? `; did you mean ${close}?` : `; choose one of ${names.join(', ')}`}`,
    );
  }
  const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
  return architecture.build({ ...architecture.defaults, ...given });
}
