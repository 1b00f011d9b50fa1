/** What the figures of a layer-copy study share. */
import { groupOf, type LayerCopy } from '../../../record/index.js';
import { copyGroupTitle } from '../../copy-tables.js';
import { color, type Role } from '../../theme.js';

export const groupsOf = ({ splits }: LayerCopy): string[] => [...new Set(splits.map(groupOf))];

/** The axis of numbers of copied layers. */
export const layerAxis = (study: LayerCopy) => ({
  axis: {
    title: 'layers n that are copied',
    grid: false,
    values: [0, ...study.layers.map((l) => l.n)],
    format: 'd',
  },
  scale: { nice: false, padding: 14 },
});

export const lowHigh = (interval: readonly [number, number] | undefined) =>
  interval ? { low: interval[0], high: interval[1] } : {};

const groupRoles = ['own', 'other', 'drawn', 'accent', 'ink'] as const;

export const scaled = (interval: readonly [number, number] | undefined) =>
  interval ? { low: 100 * interval[0], high: 100 * interval[1] } : {};

/** Colours of groups of splits, over the field `split`. */
export const groupColours = (groups: readonly string[]) => ({
  scale: { domain: groups.map(copyGroupTitle), range: groups.map((_, i) => color(roleOf(i))) },
  legend: null,
});

/** The role that colours the i-th group. */
export const roleOf = (i: number): Role => groupRoles[i % groupRoles.length] ?? 'ink';
