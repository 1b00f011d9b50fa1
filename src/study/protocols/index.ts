/** The protocols. To add one: its file in this folder, and its line here. */
import { compare } from './compare.js';
import { cs231n } from './cs231n.js';
import { head2toe } from './head2toe.js';
import { kornblith } from './kornblith.js';
import type { Protocol } from './protocol.js';
import { yosinski } from './yosinski.js';

/** Every protocol. */
export const protocols: readonly Protocol[] = [head2toe, cs231n, yosinski, kornblith, compare];

export * from './protocol.js';
