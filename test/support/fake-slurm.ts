/** Commands that answer as Slurm's do and start nothing: a folder of programs for the front of PATH. */
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

const programs: Readonly<Record<string, string>> = {
  // Numbers rise from 1, whoever else calls at the same time; what each call asked for is in a file with its number, an argument a
  // line. Nothing is started.
  sbatch: `n=0
[ -f "$0.count" ] && read -r n <"$0.count"
n=$((n + 1))
set -C
until { true >"$0.asked.$n"; } 2>/dev/null; do n=$((n + 1)); done
set +C
echo $n >"$0.count"
printf '%s\\n' "$@" >"$0.asked.$n"
if [ -f "$0.fails" ]; then cat "$0.fails" >&2; rm "$0.fails"; exit 1; fi
echo "$n;cluster"`,
  squeue: 'cat "$0.says" 2>/dev/null || true',
  scancel: `printf '%s\\n' "$@" >>"$0.asked"`,
  scontrol:
    'printf "MaxArraySize            = 1001\\nMaxJobCount             = 10000\\nPriorityType            = priority/basic\\n"',
  sinfo: 'printf "0/512/0/512\\n"',
};

/** Writes them into a folder. */
export async function writeFakeSlurm(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  for (const [name, body] of Object.entries(programs)) {
    await writeFile(join(folder, name), `#!/bin/sh\n${body}\n`);
    await chmod(join(folder, name), 0o755);
  }
}
