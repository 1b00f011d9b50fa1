// @ts-check
/**
 * A session of onnxruntime: tensors in, tensors out. Plain JavaScript, because the worker threads of workers.ts load
 * worker.js in a source tree too, where nothing compiles it.
 */

/**
 * @typedef {import('../../ir/index.js').Tensor} Tensor
 * @typedef {Readonly<Record<string, Tensor>>} Tensors
 * @typedef {import('onnxruntime-node').Tensor} OrtTensor
 * @typedef {import('../../ir/index.js').ValueInfo} ValueInfo
 * @typedef {Omit<typeof import('onnxruntime-node'), 'default'>} Runtime
 * @typedef {object} Session
 * @property {readonly string[]} inputs
 * @property {readonly ValueInfo[]} outputInfo
 * @property {(feeds: Tensors, fetches: readonly string[], into?: Tensors) => Promise<Record<string, Tensor>>} run
 *   returns the fetches; what is named in `into` is written there
 * @property {() => Promise<void>} release
 */

/** The runtime: what the user has installed, else what releases of toehold bring for this platform (scripts/pack.mjs). */
const runtimePackages = () =>
  /** @type {const} */ (['onnxruntime-node', `toehold-runtime-${process.platform}-${process.arch}`]);

/** @returns {Promise<Runtime>} */
export async function loadRuntime() {
  const [first, second] = runtimePackages();
  const loaded = await import(first).catch((error) => {
    // One that is there and does not load says why.
    if (error.code !== 'ERR_MODULE_NOT_FOUND' || !error.message.includes(`'${first}'`)) throw error;
    return import(second);
  });
  // A CommonJS package: newer versions of Node list its names beside the default, older ones do not.
  const ort = /** @type {{ default?: Runtime }} */ (loaded).default ?? loaded;
  ort.env.logLevel = 'fatal';
  return ort;
}

/**
 * @param {Runtime} ort
 * @param {import('../../ir/index.js').ModelParts} parts the runtime copies what it keeps of them
 * @param {import('onnxruntime-node').InferenceSession.SessionOptions} options
 * @returns {Promise<Session>}
 */
export async function createSession(ort, { model, weights }, options) {
  const session = await ort.InferenceSession.create(model, { ...options, externalData: weights });
  return {
    inputs: session.inputNames,
    outputInfo: session.outputMetadata.map((o) =>
      o.isTensor ? { name: o.name, type: /** @type {any} */ (o.type), shape: o.shape } : { name: o.name },
    ),
    async run(feeds, fetches, into = {}) {
      /** @type {Record<string, OrtTensor | null>} */
      const request = {};
      for (const name of fetches) request[name] = null;
      for (const [name, tensor] of Object.entries(into)) request[name] = toOrt(ort, tensor);
      /** @type {Record<string, OrtTensor>} */
      const inputs = {};
      for (const [name, tensor] of Object.entries(feeds)) inputs[name] = toOrt(ort, tensor);
      const results = await session.run(inputs, request);
      /** @type {Record<string, Tensor>} */
      const outputs = {};
      for (const [name, value] of Object.entries(results)) outputs[name] = into[name] ?? fromOrt(value);
      return outputs;
    },
    release: () => session.release(),
  };
}

/**
 * @param {Runtime} ort
 * @param {Tensor} tensor
 */
function toOrt(ort, tensor) {
  const made = new ort.Tensor(/** @type {any} */ (tensor.type), /** @type {any} */ (tensor.data), tensor.dims);
  // Where Node has a class for 16-bit floats the package makes one, which its own binding cannot read.
  if (tensor.type === 'float16') Object.assign(made, { cpuData: tensor.data });
  return made;
}

/**
 * @param {import('onnxruntime-node').OnnxValue} value
 * @returns {Tensor}
 */
function fromOrt(value) {
  const tensor = /** @type {import('onnxruntime-node').Tensor} */ (value);
  let data = /** @type {import('../../ir/index.js').NumericArray} */ (tensor.data);
  // Newer Node versions have a class for 16-bit floats; the graph's data are bits everywhere.
  if (tensor.type === 'float16') {
    data = new Uint16Array(/** @type {ArrayBuffer} */ (data.buffer), data.byteOffset, data.length);
  }
  return { type: /** @type {any} */ (tensor.type), dims: tensor.dims, data };
}
