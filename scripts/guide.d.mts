export interface GuideExample {
  readonly name: string;
  readonly figure: string | undefined;
  readonly body: string;
  readonly printed: string;
}
export function examplesIn(text: string): GuideExample[];
export function section(example: {
  readonly name: string;
  readonly figure: string | undefined;
  readonly code: string;
  readonly printed: string;
}): string;
export function argumentsOf(
  example: { readonly figure: string | undefined; readonly code: string },
  drawing: string,
  model: string,
): string[];
