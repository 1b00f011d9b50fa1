/** A data source is one file in this folder: a kind of place that examples are read from. */
import type { Dataset } from '../example.js';

/** What somebody named as data, looked at from outside. */
export interface Place {
  /** As it was given, for messages. */
  readonly shown: string;
  /** Absolute path. */
  readonly path: string;
  /** Names of what lies in it, when it is a folder. */
  readonly entries?: readonly string[];
}

export interface OpenOptions {
  /** Whether a list may name images that lie outside its folder. */
  readonly allowOutside?: boolean | undefined;
  /** Of a list, where it is neither UTF-8 nor marked: see readTextFile. */
  readonly encoding?: string | undefined;
}

export interface DataSource {
  /** What users give, with its article: 'a folder of images'. */
  readonly name: string;
  /** Is this place one of its kind? At most one source says so of any place. */
  recognises(place: Place): boolean;
  /**
   * Lists the examples without decoding any: names, labels, splits by the usual names (see splits.ts), groups, and how
   * to get at the bytes. The same place gives the same list.
   * @throws UserError when there is nothing to read, a label is missing, or what is listed is not there
   */
  open(place: Place, options?: OpenOptions): Promise<Dataset>;
}
