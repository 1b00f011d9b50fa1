/**
 * TensorBoard's event files: TFRecords (length, masked CRC-32C of the length, bytes, masked CRC-32C of the bytes) of `Event`
 * messages (tensorflow/core/util/event.proto; field numbers below are the format's).
 */
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import { nameForFile } from '../../base/index.js';
import { crc32c } from '../../data/index.js';
import { type Curve, type Scalar, scalarsOf } from './curve.js';

const event = { wallTime: 1, step: 2, fileVersion: 3, summary: 5 } as const;
const summary = { value: 1 } as const;
const value = { tag: 1, simpleValue: 2 } as const;

/** One file for each curve, each in a folder of its own, which is what TensorBoard calls a run. */
export function tensorboardFiles(curves: readonly Curve[]): Map<string, Uint8Array> {
  const names = new Set<string>();
  return new Map(
    curves.map((curve) => {
      const folder = nameForFile(curve.name, [...names]);
      names.add(folder.toLowerCase());
      // TensorBoard reads what has 'tfevents' in its name.
      return [`tensorboard/${folder}/events.out.tfevents.toehold`, eventFile(scalarsOf(curve), curve.time / 1000)];
    }),
  );
}

/** @param wallTime of all events, in seconds since 1970 */
export function eventFile(scalars: readonly Scalar[], wallTime: number): Uint8Array {
  const start = eventOf(wallTime, (w) => w.tag(event.fileVersion, WireType.LengthDelimited).string('brain.Event:2'));
  const events = scalars.map((scalar) => eventOf(wallTime, (w) => writeScalar(w, scalar)));
  return Buffer.concat([start, ...events].map(recordOf));
}

function eventOf(wallTime: number, what: (writer: BinaryWriter) => void): Uint8Array {
  const writer = new BinaryWriter();
  writer.tag(event.wallTime, WireType.Bit64).double(wallTime);
  what(writer);
  return writer.finish();
}

function writeScalar(writer: BinaryWriter, { tag, value: figure, step }: Scalar): void {
  // A zero is left out, as everywhere in proto3.
  if (step !== 0) writer.tag(event.step, WireType.Varint).int64(step);
  writer.tag(event.summary, WireType.LengthDelimited).fork();
  writer.tag(summary.value, WireType.LengthDelimited).fork();
  writer.tag(value.tag, WireType.LengthDelimited).string(tag);
  writer.tag(value.simpleValue, WireType.Bit32).float(figure);
  writer.join().join();
}

function recordOf(data: Uint8Array): Uint8Array {
  const record = Buffer.alloc(16 + data.length);
  record.writeBigUInt64LE(BigInt(data.length), 0);
  record.writeUInt32LE(crc32c(record.subarray(0, 8)), 8);
  record.set(data, 12);
  record.writeUInt32LE(crc32c(data), 12 + data.length);
  return record;
}
