/** Several devices: their names, and how sessions and runs are dealt to them. */

import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { createEngine, type Device, parseDevices } from '../../src/engine/index.js';
import { sessionOptions, workerPlaces } from '../../src/engine/onnxruntime/places.js';
import { programOf } from '../../src/engine/onnxruntime/program.js';
import { createWorkerSession, type Lane, type Request } from '../../src/engine/onnxruntime/workers.js';
import { float32, GraphBuilder, type Tensor, writeModelParts } from '../../src/ir/index.js';

test.each([
  ['cpu', 'cpu', []],
  ['cuda', 'cuda', []],
  ['cuda:1', 'cuda', [1]],
  ['cuda:3,0', 'cuda', [3, 0]],
])('%s', (name, device, ordinals) => expect(parseDevices(name)).toEqual({ device, ordinals }));

test.each([
  ['cuda:0,0', "device 'cuda:0,0' names cuda:0 twice: name each once"],
  ['cuda:0,00', "device 'cuda:0,00' names cuda:0 twice: name each once"],
  ['cuda:', "device 'cuda:': numbers of devices come after the colon, for example cuda:0,1"],
  ['cuda:a', "device 'cuda:a': numbers of devices come after the colon, for example cuda:0,1"],
  ['cpu:0', "device 'cpu:0': engine 'onnxruntime' takes no numbers for 'cpu': leave them out"],
])('%s is a wrong request', async (name, message) => {
  await expect(createEngine({ device: name as Device })).rejects.toThrow(message);
});

const b = new GraphBuilder();
b.input('x', 'float32', [1]);
b.output(b.op('Neg', ['x']), 'y');
const graph = b.build();

/** A GPU that doubles, after a while, or fails. */
class FakeLane implements Lane {
  load = 0;
  readonly ran: number[] = [];
  released = false;
  device: unknown;
  #last: Promise<unknown> = Promise.resolve();
  constructor(
    readonly milliseconds: number,
    readonly error?: string,
  ) {}
  ask<T>(request: Request): Promise<T> {
    this.load++;
    const answer = this.#last.then(() => this.#answer(request));
    this.#last = answer.catch(() => undefined);
    return answer.finally(() => this.load--) as Promise<T>;
  }
  async #answer(request: Request): Promise<unknown> {
    if ('parts' in request) {
      this.device = request.options.executionProviders?.[0];
      return { inputs: ['x'], outputInfo: [{ name: 'y' }] };
    }
    if (!('feeds' in request)) return undefined;
    await sleep(this.milliseconds);
    if (this.error) throw new Error(this.error);
    const x = (request.feeds.x as Tensor).data[0] as number;
    this.ran.push(x);
    return { y: float32([1], [2 * x]) };
  }
  async release() {
    await this.#last;
    this.released = true;
  }
}

const places = [0, 1].map((ordinal) => ({ device: 'cuda' as const, ordinal }));
async function programOn(lanes: FakeLane[]) {
  const own = { threads: 1, optimize: 'all', planMemory: true } as const;
  const starts = workerPlaces(places, lanes.length).map((place) => ({
    options: sessionOptions(place, own),
    device: `cuda:${place.ordinal}`,
  }));
  const left = [...lanes];
  return programOf(await createWorkerSession(writeModelParts(graph), starts, () => left.shift() as Lane), graph.inputs);
}
const run = (program: Awaited<ReturnType<typeof programOn>>, x: number) => program.run({ x: float32([1], [x]) });

test('each device has a session, and batches go to the one that has least to do', async () => {
  const lanes = [new FakeLane(5), new FakeLane(20)];
  const program = await programOn(lanes);
  expect(lanes.map(({ device }) => device)).toEqual([
    { name: 'cuda', deviceId: 0 },
    { name: 'cuda', deviceId: 1 },
  ]);
  const results = await Promise.all(Array.from({ length: 8 }, (_, i) => run(program, i)));
  expect(results.map(({ y }) => y?.data[0])).toEqual([0, 2, 4, 6, 8, 10, 12, 14]);
  expect(lanes.every(({ ran }) => ran.length > 0)).toBe(true);
  expect(lanes.flatMap(({ ran }) => ran).sort()).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
  await program.dispose();
});

test('a device that fails is named', async () => {
  const program = await programOn([new FakeLane(1), new FakeLane(1, 'CUDA out of memory')]);
  const [first, second] = await Promise.allSettled([run(program, 1), run(program, 2)]);
  expect(first?.status).toBe('fulfilled');
  expect((second as PromiseRejectedResult).reason.message).toBe(
    "device 'cuda:1': the engine failed: CUDA out of memory",
  );
});

test('a program that is narrowed keeps its first workers and frees the others', async () => {
  const lanes = [new FakeLane(1), new FakeLane(1), new FakeLane(1)];
  const program = await programOn(lanes);
  await program.narrow?.(1);
  expect(lanes.map(({ released }) => released)).toEqual([false, true, true]);
  await Promise.all([run(program, 1), run(program, 2)]);
  expect(lanes.map(({ ran }) => ran)).toEqual([[1, 2], [], []]);
});

const hasTaskset = process.platform === 'linux' && spawnSync('taskset', ['--version']).status === 0;
const allowed = () =>
  readdirSync('/proc/self/task').map(
    (id) => /^Cpus_allowed_list:\s*(\S+)/m.exec(readFileSync(`/proc/self/task/${id}/status`, 'utf8'))?.[1],
  );

test.skipIf(!hasTaskset || !allowed().includes('0-1'))(
  'workers keep to their processors, and the caller does not',
  async () => {
    const before = allowed();
    const engine = await createEngine();
    const program = await engine.compile(graph, { workers: 2, processors: [[0], [1]] });
    const during = allowed();
    expect(before).not.toContain('1');
    expect(during).toEqual(expect.arrayContaining(['0', '1', '0-1']));
    expect((await program.run({ x: float32([1], [3]) })).y?.data[0]).toBe(-3);
    await program.dispose();
  },
);
