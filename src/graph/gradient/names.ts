/** Name of the output that holds the gradient of the loss with respect to `value`. */
export function gradientName(value: string): string {
  return `gradient/${value}`;
}

/** Domain of onnxruntime's operators on blocked tensors. */
export const blockedDomain = 'com.microsoft.nchwc';
