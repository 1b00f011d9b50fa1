/** Where onnxruntime-node can run networks; apart from its own types, which want those of a browser. */
export const devices = ['cpu', 'cuda', 'webgpu', 'coreml', 'dml'] as const;
export type Device = (typeof devices)[number];
