/**
 * An HTTP client for load on the server's own cores: requests are written as bytes, and of an
 * answer only the head and the length of its body are read.
 */
import { once } from "node:events";
import { connect, type Socket } from "node:net";

export interface RawAnswer {
  readonly status: number;
  /** Lower case. */
  readonly head: string;
}

export class RawClient {
  readonly #port: number;
  readonly #idle: Connection[] = [];

  constructor(port: number) {
    this.#port = port;
  }

  /** Sends on a connection that has nothing else to do. */
  async send(request: Buffer): Promise<RawAnswer> {
    for (;;) {
      const connection = this.#idle.pop() ?? (await this.#open());
      const answer = await connection.send(request);
      // A server may close a connection that was silent, also while it is asked again.
      if (answer === undefined) continue;
      this.#idle.push(connection);
      return answer;
    }
  }

  close(): void {
    for (const connection of this.#idle) connection.close();
  }

  async #open(): Promise<Connection> {
    const socket = connect({ port: this.#port, host: "127.0.0.1", noDelay: true });
    await once(socket, "connect");
    return new Connection(socket);
  }
}

class Connection {
  readonly #socket: Socket;
  #received = "";
  #isOpen = true;
  #settle: ((answer: RawAnswer | undefined) => void) | undefined;

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.setEncoding("latin1");
    socket.on("data", (text: string) => this.#read(text));
    // What follows an error is the close.
    socket.on("error", () => {});
    socket.on("close", () => {
      this.#isOpen = false;
      this.#settle?.(undefined);
    });
  }

  /** Undefined when the connection is closed, or closes before the answer is complete. */
  send(request: Buffer): Promise<RawAnswer | undefined> {
    if (!this.#isOpen) return Promise.resolve(undefined);
    return new Promise((resolve) => {
      this.#settle = resolve;
      this.#received = "";
      this.#socket.write(request);
    });
  }

  close(): void {
    this.#settle = undefined;
    this.#socket.destroy();
  }

  #read(text: string): void {
    this.#received += text;
    const headEnd = this.#received.indexOf("\r\n\r\n");
    if (headEnd < 0) return;
    const head = this.#received.slice(0, headEnd).toLowerCase();
    const end = headEnd + 4 + numberOf(head, "content-length");
    if (this.#received.length >= end) this.#settle?.({ status: Number(head.slice(9, 12)), head });
  }
}

/** The number in a field of an answer's head; NaN when it has none. */
export function numberOf(head: string, name: string): number {
  const start = head.indexOf(`\r\n${name}: `);
  return start < 0 ? NaN : Number.parseFloat(head.slice(start + name.length + 4));
}
