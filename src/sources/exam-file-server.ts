/** A small HTTP server of files for tests: ranges, tags, redirects, and breaks when told to. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { digestOf } from "../foundation/digest.ts";

export interface ServedFile {
  readonly body: string | Uint8Array;
  readonly headers?: Readonly<Record<string, string>>;
}

/** The files of the repository `owner/tiny` on a hub. */
export const hubFolder = "/owner/tiny/resolve";

export class FileServer {
  /** Files by path, such as `/a/b.json`. */
  readonly files = new Map<string, ServedFile>();
  /** Addresses by path. */
  readonly redirects = new Map<string, string>();
  /** Path and headers of every request. */
  readonly requests: { readonly path: string; readonly headers: IncomingMessage["headers"] }[] = [];
  /** So many bodies stop at a byte, until `cut` breaks their connections. */
  readonly breaks = { afterBytes: 0, count: 0 };
  readonly #stopped = new Set<ServerResponse>();
  /** Statuses to answer with first. */
  readonly statuses: number[] = [];
  readonly #server: Server;

  private constructor() {
    this.#server = createServer((request, response) => this.#answer(request, response));
  }

  static async start(): Promise<FileServer> {
    const server = new FileServer();
    await new Promise<void>((resolve) => server.#server.listen(0, "127.0.0.1", resolve));
    return server;
  }

  get address(): string {
    const { port } = this.#server.address() as AddressInfo; // it listens on TCP
    return `http://127.0.0.1:${port}`;
  }

  /** Serves the tiny repository of the hub at a revision. */
  serveHub(revision: string, content: Readonly<Record<string, string | Uint8Array>>): void {
    for (const [path, body] of Object.entries(content))
      this.files.set(`${hubFolder}/${revision}/${path}`, { body });
  }

  /** Breaks the connections of the bodies that have stopped. */
  cut(): void {
    for (const response of this.#stopped) response.destroy();
    this.#stopped.clear();
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const path = request.url ?? "";
    this.requests.push({ path, headers: request.headers });
    const status = this.statuses.shift();
    const location = this.redirects.get(path);
    const file = this.files.get(path);
    if (status !== undefined) response.writeHead(status).end();
    else if (location !== undefined) response.writeHead(302, { location }).end();
    else if (file === undefined) response.writeHead(404).end("no such file");
    else this.#send(request, response, file);
  }

  #send(request: IncomingMessage, response: ServerResponse, file: ServedFile): void {
    const bytes = Buffer.from(file.body);
    const etag = `"${digestOf(bytes)}"`;
    const begin = beginOf(request, etag);
    if (begin > 0 && begin >= bytes.length) {
      response.writeHead(416).end();
      return;
    }
    const rest = bytes.subarray(begin);
    response.writeHead(begin > 0 ? 206 : 200, {
      "content-length": rest.length,
      etag,
      ...file.headers,
      ...(begin > 0
        ? { "content-range": `bytes ${begin}-${bytes.length - 1}/${bytes.length}` }
        : {}),
    });
    if (this.breaks.count === 0) {
      response.end(rest);
      return;
    }
    this.breaks.count--;
    this.#stopped.add(response);
    response.write(rest.subarray(0, this.breaks.afterBytes));
  }
}

/** The first byte that is asked for; a range of another state of the file counts for nothing. */
function beginOf(request: IncomingMessage, etag: string): number {
  const { range = "", "if-range": ifRange = etag } = request.headers;
  return ifRange === etag ? Number(/^bytes=(\d+)-$/.exec(range)?.[1] ?? 0) : 0;
}
