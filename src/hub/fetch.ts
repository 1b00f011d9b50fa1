/** Models and data sets by name -> files on this machine. */
import { posix } from 'node:path';
import { UserError } from '../base/index.js';
import { fetchFile, type HubFile, type HubOptions, lookUp, type Snapshot } from './client.js';
import { parseHubName } from './name.js';

/** Where something came from: enough to find it once more. */
export interface Origin {
  readonly repo: string;
  /** The commit. */
  readonly revision: string;
  readonly file?: string;
}

/** A network fetched by its name. */
export interface HubModel {
  /** Of the ONNX file; what belongs to it lies beside it. */
  readonly path: string;
  readonly origin: Origin;
  /** Its weights are rounded to fewer bits than float32. */
  readonly quantised: boolean;
  readonly notes: readonly string[];
}

/** As exporters and optimum name what they make smaller. */
const isQuantised = (path: string) =>
  /(^|[_.-])(u?int8|quantized|quant|q[248](f16)?|qdq|bnb4|int4|uint4)([_.-]|$)/i.test(posix.basename(path));
const isHalf = (path: string) => /(^|[_.-])(fp16|float16|bf16)([_.-]|$)/i.test(posix.basename(path));
const beside = ['preprocess.json', 'preprocessor_config.json', 'config.json'];

/**
 * Fetches a model: the ONNX file that the name says, or the only one in float32, with its external weights, its preprocessing
 * and its config.
 * @throws UserError when there is none, or several and no name says which: with a list of what there is
 */
export async function fetchModel(text: string, options: HubOptions = {}): Promise<HubModel> {
  const name = parseHubName(text);
  if (name.type !== 'model') throw new UserError(`${text} is a data set; a model is hf:owner/name`);
  const snapshot = await lookUp(name, options);
  const chosen = choose(snapshot, name.file);
  const folder = posix.dirname(chosen.path);
  const stem = chosen.path.replace(/\.onnx$/i, '');
  const wanted = snapshot.files.filter(
    ({ path }) =>
      // External weights: model.onnx_data, model.onnx.data, model.data.
      path.startsWith(`${chosen.path}_data`) ||
      [`${chosen.path}.data`, `${stem}.data`, `${stem}.preprocess.json`].includes(path) ||
      beside.some((file) => path === file || path === posix.join(folder, file)),
  );
  for (const file of wanted) await fetchFile(snapshot, file, options);
  return {
    path: await fetchFile(snapshot, chosen, options),
    origin: { repo: name.repo, revision: snapshot.commit, file: chosen.path },
    quantised: isQuantised(chosen.path),
    notes: snapshot.notes,
  };
}

function choose({ name, files }: Snapshot, wanted: string | undefined): HubFile {
  const onnx = files.filter(({ path }) => /\.onnx$/i.test(path));
  const listed = (some: readonly HubFile[]) => {
    const shown = some.slice(0, 12).map(({ path }) => path);
    return `${shown.join(', ')}${some.length > 12 ? ` and ${some.length - 12} more` : ''}`;
  };
  if (wanted !== undefined) {
    const found = files.find(({ path }) => path === wanted);
    if (!found)
      throw new UserError(`${name.repo} has no file ${wanted}; it has ${listed(onnx.length > 0 ? onnx : files)}`);
    if (!/\.onnx$/i.test(wanted)) throw new UserError(`${wanted} is no ONNX file: ${exportLine(name.repo, wanted)}`);
    return found;
  }
  if (onnx.length === 0) {
    throw new UserError(`${name.repo} holds no ONNX file (it has ${listed(files)}): ${exportLine(name.repo)}`);
  }
  const full = onnx.filter(({ path }) => !isQuantised(path) && !isHalf(path));
  const usual = ['onnx/model.onnx', 'model.onnx'].map((path) => full.find((file) => file.path === path)).find(Boolean);
  const [only, ...others] = full.length > 0 ? full : onnx;
  if (usual ?? others.length === 0) return (usual ?? only) as HubFile;
  throw new UserError(
    `${name.repo} holds several ONNX files; name one as hf:${name.repo}/FILE: ${listed(full.length > 0 ? full : onnx)}`,
  );
}

/** The line that makes an ONNX file of a repository. */
function exportLine(repo: string, file = ''): string {
  if (/\.(h5|keras)$/i.test(file))
    return `export it with 'python -m tf2onnx.convert --keras ${file} --output model.onnx'`;
  if (/^timm\//.test(repo)) {
    return `export it with 'python -c "import timm, torch; m = timm.create_model(\\"hf-hub:${repo}\\", pretrained=True).eval(); torch.onnx.export(m, torch.rand(1, *m.pretrained_cfg[\\"input_size\\"]), \\"model.onnx\\")"'`;
  }
  return `export it with 'optimum-cli export onnx --model ${repo} DIR'`;
}

/** A data set fetched by its name. */
export interface HubDataset {
  /** Folder that the files are relative to. */
  readonly root: string;
  /** Absolute paths of its Parquet files. */
  readonly files: readonly string[];
  readonly origin: Origin;
  readonly notes: readonly string[];
}

/** The branch on which the hub keeps every data set as Parquet. */
const converted = 'refs/convert/parquet';

/**
 * Fetches a data set as Parquet: its own files, or those that the hub makes of others.
 * @throws UserError when it has several configs and the name says none of them: with a list; or is not there as Parquet
 */
export async function fetchDataset(text: string, options: HubOptions = {}): Promise<HubDataset> {
  const name = parseHubName(text);
  if (name.type !== 'dataset') throw new UserError(`${text} is a model; a data set is hf:datasets/owner/name`);
  const own = await lookUp(name, options);
  const isTable = ({ path }: HubFile) => /\.parquet$/i.test(path);
  const snapshot = own.files.some(isTable)
    ? own
    : await lookUp({ ...name, revision: converted }, options).catch((error) => {
        if (error instanceof UserError) throw noTables(own);
        throw error;
      });
  const tables = snapshot.files.filter(isTable);
  if (tables.length === 0) throw noTables(own);
  const configOf = ({ path }: HubFile) => (/^(data\/|[^/]+$)/.test(path) ? 'default' : (path.split('/')[0] as string));
  const configs = [...new Set(tables.map(configOf))].sort();
  const config = name.config ?? (configs.length === 1 ? configs[0] : configs.find((c) => c === 'default'));
  if (config === undefined || !configs.includes(config)) {
    const what = name.config === undefined ? 'has several configs' : `has no config '${name.config}'`;
    throw new UserError(`${name.repo} ${what}; name one as hf:datasets/${name.repo}:CONFIG: ${configs.join(', ')}`);
  }
  const files: string[] = [];
  for (const table of tables.filter((t) => configOf(t) === config))
    files.push(await fetchFile(snapshot, table, options));
  return {
    root: snapshot.cache.snapshot(snapshot.commit),
    files,
    origin: { repo: name.repo, revision: snapshot.commit },
    notes: snapshot.notes,
  };
}

function noTables({ name, files }: Snapshot): UserError {
  const shown = files.slice(0, 8).map(({ path }) => path);
  return new UserError(
    `${name.repo} is not there as Parquet (it has ${shown.join(', ')}${files.length > 8 ? ', ...' : ''}); download it, and give its folder`,
  );
}
