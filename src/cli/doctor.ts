/** toehold doctor: engines, devices, versions, and the one line that fixes what is missing. */
import { availableParallelism, totalmem } from 'node:os';
import type { Command } from 'commander';
import { messageOf } from '../base/index.js';
import { createOnnxRuntime, devices } from '../engine/index.js';
import { printJson, printText, table } from './output.js';

interface Check {
  readonly name: string;
  readonly ok: boolean;
  readonly detail: string;
}

export function registerDoctor(program: Command): void {
  program
    .command('doctor')
    .description('what works here: engines, devices, libraries, and how to get what is missing')
    .option('--json', 'print one JSON document')
    .action(async ({ json }: { json?: boolean }) => {
      const checks = [checkNode(), ...(await checkLibraries()), ...(await checkDevices())];
      const machine = `${availableParallelism()} cores, ${(totalmem() / 2 ** 30).toFixed(0)} GB, ${process.platform} ${process.arch}`;
      const broken =
        checks.some((c) => !c.ok && !c.name.startsWith('device ')) ||
        !checks.some((c) => c.ok && c.name === 'device cpu');
      if (json) printJson({ ok: !broken, machine, checks });
      else {
        printText([
          ...table(
            ['', 'what', ''],
            checks.map((c) => [c.ok ? 'ok' : '--', c.name, c.detail]),
          ),
          '',
          machine,
        ]);
      }
      if (broken) process.exitCode = 1;
    });
}

function checkNode(): Check {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  const ok = major > 20 || (major === 20 && minor >= 19);
  return {
    name: `Node ${process.versions.node}`,
    ok,
    detail: ok ? '' : 'toehold needs 20.19 or newer: install a current Node',
  };
}

async function checkLibraries(): Promise<Check[]> {
  const versions: Readonly<Record<string, () => Promise<string>>> = {
    'onnxruntime-node': async () => (await import('onnxruntime-node')).env.versions.node ?? '',
    sharp: async () => (await import('sharp')).default.versions.sharp ?? '',
  };
  return Promise.all(
    Object.entries(versions).map(async ([name, version]): Promise<Check> => {
      try {
        return { name: `${name} ${await version()}`, ok: true, detail: '' };
      } catch (error) {
        return { name, ok: false, detail: `reinstall with npm ci (${messageOf(error).split('\n')[0]})` };
      }
    }),
  );
}

async function checkDevices(): Promise<Check[]> {
  return Promise.all(
    devices.map(async (device): Promise<Check> => {
      try {
        const { threads } = await createOnnxRuntime({ device });
        return { name: `device ${device}`, ok: true, detail: device === 'cpu' ? `${threads} threads` : '' };
      } catch (error) {
        return {
          name: `device ${device}`,
          ok: false,
          detail: messageOf(error).replace(/^device '.*?' is not available here: /, ''),
        };
      }
    }),
  );
}
