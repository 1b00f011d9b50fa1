/** A run of probes as a person reads it. */
import type { ProbeRun } from './run.js';
import { tapShares } from './selection.js';

function percent(value: number | undefined, digits = 1): string {
  return value === undefined ? '' : (100 * value).toFixed(digits);
}

/** Columns padded to equal width, the first to the left, the others to the right. */
function aligned(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, c) => Math.max(...rows.map((row) => (row[c] ?? '').length)));
  return rows
    .map((row) =>
      row
        .map((cell, c) => (c === 0 ? cell.padEnd(widths[c] as number) : cell.padStart(widths[c] as number)))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

/** The table of methods, what head2toe kept, and every warning. */
export function probeTable(run: ProbeRun): string {
  const { task, results, warnings, taps, windows } = run;
  const lines: string[] = [
    `${task.source.description}`,
    `${task.train.labels.length} training${task.test ? `, ${task.test.labels.length} test` : ''} examples, ${task.classes.length} classes, ${task.train.matrix.features} features of ${task.taps.length} taps; tuned by ${run.folds.length} folds${task.train.groups ? ' that keep groups together' : ''}`,
    '',
  ];
  const header = [
    'method',
    'test %',
    '95 % interval',
    'per class',
    'log loss',
    'ECE',
    'cv %',
    'features',
    'network',
    's',
  ];
  const rows = results.map(({ method, fit, test, used, network, seconds }) => [
    `${method.name}${method.peeks ? ' (by TEST accuracy)' : ''}${fit.converged ? '' : ' (NOT CONVERGED)'}`,
    percent(test?.accuracy),
    test ? `${percent(test.interval[0])} - ${percent(test.interval[1])}` : '',
    percent(test?.meanPerClass),
    test ? test.logLoss.toFixed(3) : '',
    test ? test.calibrationError.toFixed(3) : '',
    percent(fit.validation?.accuracy),
    used === undefined ? '' : String(used),
    network?.macsShare === undefined ? '' : `${percent(network.macsShare, 0)} %`,
    seconds.toFixed(1),
  ]);
  lines.push(aligned([header, ...rows]));
  if (results.some(({ network }) => network?.macsShare !== undefined)) {
    lines.push('network: share of the multiply-adds up to the deepest tap that the probe reads');
  }
  for (const { method, fit } of results) {
    const { selection } = fit;
    const tuned = Object.entries(fit.tuned).map(([key, v]) => `${key} ${Number(v.toPrecision(3))}`);
    lines.push('', `${method.name}: ${method.title}; ${tuned.join(', ')}`);
    for (const note of fit.notes) lines.push(`  note: ${note}`);
    const bad = fit.path.filter((point) => !point.converged);
    if (bad.length > 0) {
      const worst = Math.max(...bad.map((point) => point.gap));
      lines.push(
        `  NOT CONVERGED at ${bad.length} of ${fit.path.length} lambdas: largest relative duality gap ${worst.toExponential(1)}`,
      );
    } else if (!fit.converged) lines.push('  NOT CONVERGED: the solver stopped at its iteration limit');
    else if (fit.path.length > 0) {
      const worst = Math.max(...fit.path.map((point) => point.gap));
      lines.push(`  path of ${fit.path.length} lambdas, largest relative duality gap ${worst.toExponential(1)}`);
    }
    if (!selection) continue;
    if (selection.stability !== undefined) {
      lines.push(`  mean Jaccard index between the selections of the folds: ${selection.stability.toFixed(2)}`);
    }
    const shares = tapShares(selection, task.train.matrix.offsets, task.taps)
      .filter((share) => share.kept > 0)
      .sort((a, b) => b.mass - a.mass || b.kept - a.kept);
    const top = shares.slice(0, 8).map((s) => `${s.alias} ${s.kept} (${percent(s.mass, 0)} %)`);
    if (task.taps.length > 1) {
      lines.push(
        `  kept features by tap (share of score): ${top.join(', ')}${shares.length > 8 ? `, and ${shares.length - 8} more taps` : ''}`,
      );
    }
  }
  if (taps) {
    lines.push('', 'taps: accuracy alone, and added to the last layer');
    const tapRows = taps.map((t) => [
      t.alias,
      percent(t.alone),
      percent(t.added),
      percent(t.testAlone),
      percent(t.testAdded),
    ]);
    lines.push(aligned([['tap', 'cv alone', 'cv added', 'test alone', 'test added'], ...tapRows]));
  }
  if (windows) {
    lines.push('', 'windows of the head2toe ranking');
    const windowRows = windows.map((w) => [
      `${w.first + 1} - ${w.first + w.count}`,
      percent(w.validation),
      percent(w.test),
    ]);
    lines.push(aligned([['ranks', 'cv', 'test'], ...windowRows]));
  }
  for (const warning of warnings) lines.push('', `warning: ${warning}`);
  return lines.join('\n');
}
