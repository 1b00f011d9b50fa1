/** Where sessions run, and what the runtime is told of them. */
import type * as Ort from 'onnxruntime-node';
import { deviceName } from '../devices.js';
import type { CompileOptions } from '../engine.js';
import { machineTopology } from '../topology.js';
import type { Device } from './device.js';

/** A device, and which one of several. */
export interface Place {
  readonly device: Device;
  readonly ordinal?: number;
}

export const nameOfPlace = ({ device, ordinal }: Place) =>
  deviceName({ device, ordinals: ordinal === undefined ? [] : [ordinal] });

/** Workers are dealt to devices in turn. */
export const workerPlaces = <P>(places: readonly P[], workers: number): P[] =>
  Array.from({ length: workers }, (_, i) => places[i % places.length] as P);

/** What the runtime is told of a session on a device. */
export function sessionOptions(
  { device, ordinal }: Place,
  { threads, optimize, planMemory }: Pick<Required<CompileOptions>, 'threads' | 'optimize' | 'planMemory'>,
): Ort.InferenceSession.SessionOptions {
  const provider =
    ordinal === undefined
      ? device
      : ({ name: device, deviceId: ordinal } as Ort.InferenceSession.CudaExecutionProviderOption);
  return {
    executionProviders: device === 'cpu' ? ['cpu'] : [provider, 'cpu'],
    graphOptimizationLevel: optimize === 'all' ? 'all' : 'disabled',
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    executionMode: 'sequential',
    enableCpuMemArena: true,
    enableMemPattern: planMemory,
    // Errors come back as exceptions; the log would say them twice.
    logSeverityLevel: 4,
    extra: {
      session: {
        // Workers spin within a run, where nodes follow each other in microseconds, and not after it, when the cores
        // belong to image decoding and to other programs.
        // More threads than processors would spin in each other's way.
        intra_op: { allow_spinning: threads > machineTopology().processors ? '0' : '1' },
        force_spinning_stop: '1',
      },
      // A Gemm copies its bias into every row on one thread before it multiplies; MatMul and Add take half the time. And
      // 1.30 fuses a Pad with zeros into a MaxPool, which pads with minus infinity: wrong values (mended in 1.32).
      optimization: { disable_specified_optimizers: 'MatMulAddFusion;Pad_Fusion' },
    },
  };
}
