/** What a job runs: a script of the shell, the same for all jobs of a run. */

/** A word as a shell reads it: itself, whatever it holds. */
export function quoted(word: string): string {
  return /^[A-Za-z0-9_@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

/** Times that a job starts again after a signal, a time limit or a preemption. */
const restarts = 2;

/**
 * The script of a job. Its arguments are the name of a wave, the line of its list where the units of the array's first element
 * are, and the array's name; nothing in the script comes from anywhere but `words`, which are quoted. It runs in the run folder.
 * @param words the command and its arguments before the units
 */
export function jobScript(words: readonly string[]): string {
  return `#!/bin/sh
# Written by toehold. One element of an array of jobs: the units in its line of slurm/$1.units, from line $2 on.
element=\${SLURM_ARRAY_TASK_ID:-0}
units=$(sed -n "$(($2 + element))p" "slurm/$1.units")
job=\${SLURM_ARRAY_JOB_ID:-$SLURM_JOB_ID}_$element
# The process that works is this script's own child: it gets its signals.
export TOEHOLD_WORKER=1 ORT_DISABLE_TELEMETRY=1
echo "toehold: job $job on $(hostname), start $((\${SLURM_RESTART_COUNT:-0} + 1))"
rm -f "slurm/ends/$3_$element"
${words.map(quoted).join(' ')} $units &
child=$!
cancelled=
trap 'kill -USR1 $child 2>/dev/null' USR1
trap 'cancelled=1; kill -TERM $child 2>/dev/null' TERM
wait $child
code=$?
# A trap ends the wait, not the child.
while kill -0 $child 2>/dev/null; do
  wait $child
  code=$?
done
if [ $code -gt 128 ] && [ -z "$cancelled" ] && [ "\${SLURM_RESTART_COUNT:-0}" -lt ${restarts} ]; then
  echo "toehold: ended by signal $((code - 128)); starting again"
  if scontrol requeue "$job"; then
    # Slurm ends this script; were it faster to end by itself, its job would have failed.
    sleep 60
  fi
fi
echo "$code" >"slurm/ends/$3_$element"
exit $code
`;
}

/** The script of the last job, which submits what is left or assembles the record. */
export function lastScript(words: readonly string[]): string {
  return `#!/bin/sh
# Written by toehold. Runs when the other jobs have ended, however they did.
exec ${words.map(quoted).join(' ')}
`;
}
