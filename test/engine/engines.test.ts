/** One factory over all engines: which there are, and what asking for another one says. */
import { describe, expect, test } from 'vitest';
import { UserError } from '../../src/base/index.js';
import {
  createEngine,
  type Device,
  devices,
  type EngineName,
  engineDefaults,
  engineNames,
  engines,
} from '../../src/engine/index.js';

test('the defaults name an engine and one of its devices', async () => {
  expect(engineNames).toContain(engineDefaults.engine);
  expect(devices).toContain(engineDefaults.device);
  const engine = await createEngine();
  expect(engine.device).toBe(engineDefaults.device);
  expect((await createEngine({ threads: 1 })).threads).toBe(1);
});

describe.each(engines)('engine $name', (kind) => {
  test('is made by its name and says which library it is', async () => {
    const { name } = await createEngine({ engine: kind.name });
    expect(name).toMatch(/\d+\.\d+/);
    expect(await kind.library()).toBe(name);
  });

  test('has devices that differ', () => expect(new Set(kind.devices).size).toBe(kind.devices.length));
});

test.each([
  [{ engine: 'onnxruntim' }, "there is no engine 'onnxruntim': did you mean 'onnxruntime'?"],
  [{ engine: 'torch' }, `there is no engine 'torch'; there is ${engineNames.join(', ')}`],
  [{ device: 'cudo' }, "engine 'onnxruntime' has no device 'cudo': did you mean 'cuda'?"],
  [{ device: 'abacus' }, "engine 'onnxruntime' has no device 'abacus'; there is cpu, cuda, webgpu, coreml, dml"],
])('%o is a wrong request', async (options, message) => {
  // A config file or a user's JavaScript may say anything.
  const created = createEngine(options as { engine?: EngineName; device?: Device });
  await expect(created).rejects.toThrow(new UserError(message));
});
