/** Name of the output that holds the gradient of the loss with respect to `value`. */
export function gradientName(value: string): string {
  return `gradient/${value}`;
}

/**
 * Domain of the operators that stand for "the gradient of ...", written out by a lowering: in standard operators for
 * any engine (composites.ts), or in the blocked layout of one (blocked.ts). Never in a graph that leaves this folder.
 */
export const compositeDomain = 'toehold';

/** Domain of onnxruntime's operators on blocked tensors. */
export const blockedDomain = 'com.microsoft.nchwc';
