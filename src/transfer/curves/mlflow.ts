/**
 * MLflow's file store: mlruns/EXPERIMENT/RUN/{meta.yaml, metrics, params, tags, artifacts}; a metric is a file of lines
 * "milliseconds value step" (mlflow/store/tracking/file_store.py).
 */
import { stringify } from 'yaml';
import { sha256 } from '../../base/index.js';
import { type Curve, scalarsOf } from './curve.js';

/** As in MLflow's enumeration: done. */
const finished = 3;

/** @param experiment what the runs are runs of: it names them together */
export function mlflowFiles(experiment: string, curves: readonly Curve[]): Map<string, string> {
  const id = numberOf(experiment);
  const root = `mlruns/${id}`;
  const first = Math.min(...curves.map(({ time }) => time));
  const files = new Map([
    [
      `${root}/meta.yaml`,
      stringify({
        // Relative to where MLflow is started: in the folder that holds mlruns.
        artifact_location: root,
        creation_time: first,
        experiment_id: id,
        last_update_time: first,
        lifecycle_stage: 'active',
        name: experiment,
      }),
    ],
  ]);
  for (const curve of curves)
    for (const [file, text] of runFiles(id, experiment, curve)) files.set(`${root}/${file}`, text);
  return files;
}

/** A name as the decimal number that MLflow's identifiers of experiments are. */
const numberOf = (name: string): string =>
  BigInt(`0x${sha256(name).slice(0, 14)}`)
    .toString()
    .padStart(18, '1');

function runFiles(id: string, experiment: string, curve: Curve): [file: string, text: string][] {
  const { name, settings, time } = curve;
  const run = sha256(`${experiment}\n${name}`).slice(0, 32);
  const metrics = new Map<string, string>();
  for (const { tag, value, step } of scalarsOf(curve)) {
    metrics.set(tag, `${metrics.get(tag) ?? ''}${time} ${value} ${step}\n`);
  }
  const meta = {
    artifact_uri: `mlruns/${id}/${run}/artifacts`,
    end_time: time,
    entry_point_name: '',
    experiment_id: id,
    lifecycle_stage: 'active',
    run_id: run,
    run_name: name,
    run_uuid: run,
    source_name: '',
    source_type: 4,
    source_version: '',
    start_time: time,
    status: finished,
    tags: [],
    user_id: 'toehold',
  };
  return [
    [`${run}/meta.yaml`, stringify(meta)],
    [`${run}/tags/mlflow.runName`, name],
    // A run without this folder, or that of parameters, is none to MLflow.
    [`${run}/artifacts/epochs.jsonl`, curve.epochs.map((epoch) => `${JSON.stringify(epoch)}\n`).join('')],
    [`${run}/tags/mlflow.source.name`, 'toehold'],
    [`${run}/params/epochs`, String(curve.epochs.length)],
    ...Object.entries(settings).map(([key, value]): [string, string] => [`${run}/params/${key}`, String(value)]),
    ...[...metrics].map(([tag, lines]): [string, string] => [`${run}/metrics/${tag}`, lines]),
  ];
}
