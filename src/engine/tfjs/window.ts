/** A window of a convolution or pool on an image. */
export interface Window {
  readonly kernel: readonly number[];
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  /** Widths of the border before and after each axis; with `ceil_mode` as far as the last window reaches. */
  readonly before: readonly number[];
  readonly after: readonly number[];
  /** The border that the node declares, which counts as part of the image where `count_include_pad` says so. */
  readonly declared: readonly number[];
  readonly output: readonly number[];
}
