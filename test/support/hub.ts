/** A hub on loopback that speaks the paths of the real one, as far as toehold asks: info, tree, resolve with ranges. */
import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface HubRepo {
  /** Files by revision name. */
  readonly revisions: Readonly<Record<string, Readonly<Record<string, Uint8Array>>>>;
  /** Token without which there is nothing. */
  readonly token?: string;
}

/** Repositories by `models/owner/name` or `datasets/owner/name`. */
export type HubRepos = Record<string, HubRepo>;

export const commitOf = (revision: string) => createHash('sha1').update(revision).digest('hex');

export class FakeHub {
  readonly requests: {
    readonly url: string;
    readonly authorization: string | undefined;
    readonly range: string | undefined;
  }[] = [];
  /** Bytes after which the next file that is sent breaks off. */
  breakAfter: number | undefined;
  /** Sends other bytes than it lists. */
  lies = false;
  readonly #server: Server;

  constructor(readonly repos: HubRepos) {
    this.#server = createServer((request, response) => this.#answer(request, response));
  }

  async start(): Promise<string> {
    await new Promise<void>((done) => this.#server.listen(0, '127.0.0.1', done));
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((done) => this.#server.close(done));
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const url = decodeURIComponent((request.url ?? '').replace(/\?.*$/, ''));
    const { authorization, range } = request.headers;
    this.requests.push({ url, authorization, range });
    const api = /^\/api\/((?:models|datasets)\/[^/]+\/[^/]+)(?:\/(revision|tree)\/(.+))?$/.exec(url);
    const file = /^\/(datasets\/)?([^/]+\/[^/]+)\/resolve\/([^/]+)\/(.+)$/.exec(url);
    const key = api?.[1] ?? `${file?.[1] ?? 'models/'}${file?.[2]}`;
    const repo = this.repos[key];
    const json = (status: number, value: unknown) =>
      response.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(value));
    if (!repo || (!api && !file)) return void json(404, { error: 'Repository not found' });
    if (repo.token && authorization !== `Bearer ${repo.token}`) return void json(401, { error: 'Invalid credentials' });
    const asked = api?.[3] ?? file?.[3] ?? 'main';
    const revision = Object.keys(repo.revisions).find((name) => name === asked || commitOf(name) === asked);
    const files = repo.revisions[revision ?? ''];
    if (!files || revision === undefined) return void json(404, { error: 'Revision not found' });
    if (api?.[2] === 'tree') return void json(200, Object.entries(files).map(entryOf));
    if (api)
      return void json(200, {
        _id: '1',
        id: key.replace(/^\w+\//, ''),
        modelId: key,
        sha: commitOf(revision),
        private: false,
      });
    const bytes = files[file?.[4] ?? ''];
    if (!bytes) return void json(404, { error: 'Entry not found' });
    const from = Number(/^bytes=(\d+)-/.exec(range ?? '')?.[1] ?? 0);
    const sent = this.lies ? Buffer.alloc(bytes.length - from) : bytes.subarray(from);
    response.writeHead(from > 0 ? 206 : 200, { 'Content-Length': sent.length });
    if (this.breakAfter === undefined) return void response.end(sent);
    response.write(sent.subarray(0, this.breakAfter), () => setTimeout(() => response.destroy(), 20));
    this.breakAfter = undefined;
  }
}

/** Files of more than 200 bytes are large ones. */
function entryOf([path, bytes]: [string, Uint8Array]) {
  const oid = createHash('sha1').update(`blob ${bytes.length}\0`).update(bytes).digest('hex');
  const lfs = { oid: createHash('sha256').update(bytes).digest('hex'), size: bytes.length, pointerSize: 130 };
  return { type: 'file', path, size: bytes.length, oid, ...(bytes.length > 200 && { lfs }) };
}
