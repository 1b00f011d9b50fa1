/**
 * Engine over onnxruntime-web: the same graphs in a browser, on WebGPU where there is an adapter, else in WebAssembly. Imported
 * by its own door only, so that nothing else asks for the library.
 */
import * as ort from 'onnxruntime-web';
import { UserError } from '../../base/index.js';
import { writeModelParts } from '../../ir/index.js';
import type { Engine } from '../engine.js';
import { explainCompile } from '../onnxruntime/explain.js';
import { programOf } from '../onnxruntime/program.js';
import { createSession, type Runtime } from '../onnxruntime/session.js';

export type WebDevice = 'webgpu' | 'wasm';

export interface WebEngineOptions {
  /** 'auto', the default: WebGPU where there is an adapter, else WebAssembly. */
  readonly device?: WebDevice | 'auto';
  /** Threads of WebAssembly; more than one, the default, need a page that is cross-origin isolated. */
  readonly threads?: number;
}

/** What a browser has of WebGPU, as far as it is asked here. */
interface WithWebGpu {
  readonly navigator?: { readonly gpu?: { requestAdapter(): Promise<unknown> } };
}

async function hasAdapter(): Promise<boolean> {
  const { navigator } = globalThis as WithWebGpu;
  return Boolean(await navigator?.gpu?.requestAdapter().catch(() => undefined));
}

/** @throws UserError when WebGPU is asked for and is not here */
export async function createOnnxRuntimeWeb({ device = 'auto', threads = 1 }: WebEngineOptions = {}): Promise<Engine> {
  const gpu = device !== 'wasm' && (await hasAdapter());
  if (device === 'webgpu' && !gpu) {
    throw new UserError("device 'webgpu' is not available here: this browser gives no adapter; use 'wasm'");
  }
  ort.env.logLevel = 'fatal';
  ort.env.wasm.numThreads = threads;
  // The two packages have one interface.
  const runtime = ort as object as Runtime;
  return {
    name: `onnxruntime-web ${ort.env.versions.web ?? ort.env.versions.common}`,
    device: gpu ? 'webgpu' : 'wasm',
    accelerators: gpu ? ['webgpu'] : [],
    threads,
    domains: [],
    blockWidth: () => Promise.resolve(0),
    async compile(graph, { optimize = 'all' } = {}) {
      try {
        const session = await createSession(runtime, writeModelParts(graph), {
          executionProviders: gpu ? ['webgpu', 'wasm'] : ['wasm'],
          graphOptimizationLevel: optimize === 'all' ? 'all' : 'disabled',
          logSeverityLevel: 4,
          // See the engine of Node.
          extra: { optimization: { disable_specified_optimizers: 'MatMulAddFusion;Pad_Fusion' } },
        });
        return programOf(session, graph.inputs);
      } catch (error) {
        throw explainCompile(error, graph);
      }
    },
  };
}
