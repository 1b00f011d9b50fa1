// Makes `npx toehold` work in a checkout: npm links the commands of dependencies, not those of the project itself.
import { chmodSync, existsSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';

const folder = new URL('../node_modules/.bin/', import.meta.url);
const target = new URL('../dist/cli/main.js', import.meta.url);
if (existsSync(target) && existsSync(new URL('../node_modules/', import.meta.url))) {
  mkdirSync(folder, { recursive: true });
  chmodSync(target, 0o755);
  if (process.platform === 'win32') {
    writeFileSync(new URL('toehold.cmd', folder), '@node "%~dp0\\..\\..\\dist\\cli\\main.js" %*\r\n');
  } else {
    const link = new URL('toehold', folder);
    rmSync(link, { force: true });
    symlinkSync('../../dist/cli/main.js', link);
  }
}
