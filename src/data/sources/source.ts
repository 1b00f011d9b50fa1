/** A data source is one file in this folder: a kind of place that examples are read from. */
import type { Dataset, UnlabelledDataset } from '../example.js';

/** What somebody named as data, looked at from outside. */
export interface Place {
  /** As it was given, for messages. */
  readonly shown: string;
  /** Absolute path. */
  readonly path: string;
  /** Names of what lies in it, when it is a folder; of what lies one folder further down, where that is called as splits are. */
  readonly entries?: readonly string[];
  /** Those of the entries that are folders. */
  readonly folders?: readonly string[];
  /** Absolute paths of all files that were named, when it is none: `{0..3}` names several. */
  readonly files?: readonly string[];
}

/** What to take where an image has several labels. */
export type SeveralLabels = 'refuse' | 'largest' | 'skip' | 'all';

export interface OpenOptions {
  /** Whether a list may name images that lie outside its folder. */
  readonly allowOutside?: boolean | undefined;
  /** Of a list, where it is neither UTF-8 nor marked: see readTextFile. */
  readonly encoding?: string | undefined;
  /** Which column of a table is what: `path=file,label=species`; see columns.ts. */
  readonly columns?: string | undefined;
  /**
   * Of images that show several classes: an error, the class of the largest object, or the image left out.
   * @default 'refuse'
   */
  readonly severalLabels?: SeveralLabels | undefined;
  /** 'none': labels are not looked for. A source that cannot do without them may read them all the same. */
  readonly target?: 'none' | undefined;
}

/** A form of data: how it is recognised, and how it is read. */
export interface DataSource {
  /** What users give, with its article: 'a folder of images'. */
  readonly name: string;
  /** Is this place one of its kind, by names alone? The first source of the list that says so reads it. */
  recognises(place: Place): boolean;
  /**
   * Lists the examples without decoding any: names, labels, splits by the usual names (see splits.ts), groups, and how
   * to get at the bytes. The same place gives the same list. Where the place has no room for labels, the examples have none.
   * @throws UserError when there is nothing to read, some labels are missing, or what is listed is not there
   */
  open(place: Place, options?: OpenOptions): Promise<Dataset | UnlabelledDataset>;
}
