/** Names of models and data sets on a hub: `hf:owner/name[@revision][/file]`, `hf:datasets/owner/name[@revision][:config]`. */
import { UserError } from '../base/index.js';

export interface HubName {
  readonly type: 'model' | 'dataset';
  /** `owner/name`. */
  readonly repo: string;
  /** Branch, tag or commit. */
  readonly revision: string;
  /** Of a model: path in the repository. */
  readonly file?: string | undefined;
  /** Of a data set. */
  readonly config?: string | undefined;
}

/** Whether a name is of the hub: `hf:...`. */
export const isHubName = (name: string): boolean => name.startsWith('hf:');

const part = String.raw`[\w][\w.-]*`;
const model = new RegExp(String.raw`^hf:(${part}/${part})(?:@([\w.%-]+))?(?:/(.+))?$`);
const dataset = new RegExp(String.raw`^hf:datasets/(${part}/${part})(?:@([\w.%/-]+))?(?::([\w.-]+))?$`);

/** @throws UserError for what is no such name, or whose file leads out of its repository */
export function parseHubName(name: string): HubName {
  const isData = name.startsWith('hf:datasets/');
  const [, repo, revision = 'main', rest] = (isData ? dataset : model).exec(name) ?? [];
  const form = isData ? 'hf:datasets/owner/name[@revision][:config]' : 'hf:owner/name[@revision][/file]';
  if (!repo) throw new UserError(`'${name}' is not of the form ${form}`);
  if (rest?.split('/').some((segment) => segment === '..' || segment === '.' || segment === ''))
    throw new UserError(`'${name}' names a file outside its repository`);
  return isData
    ? { type: 'dataset', repo, revision, config: rest }
    : { type: 'model', repo, revision: decodeURIComponent(revision), file: rest };
}
