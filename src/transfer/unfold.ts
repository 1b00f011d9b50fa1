/** Folded batch norms: when they are undone before training. */

export const unfoldChoices = ['auto', 'yes', 'no'] as const;
/** `auto` undoes them when the backbone is trained. */
export type UnfoldNorms = (typeof unfoldChoices)[number];
