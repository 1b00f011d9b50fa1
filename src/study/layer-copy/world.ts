/** What the units of a layer-copy study are done with. */
import type { Engine } from '../../engine/index.js';
import type { StudyBackbone } from '../backbones.js';
import type { StudyTask } from '../tasks.js';
import type { Halves } from './halves.js';
import type { NetworkLayers } from './network.js';

export interface CopyWorld {
  readonly engine: Engine;
  readonly task: StudyTask;
  readonly backbone: StudyBackbone;
  readonly network: NetworkLayers;
  readonly halves: Halves;
}
