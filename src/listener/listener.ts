/** A socket in front of a `Handler`, which stops without dropping what it has begun. */
import { createServer, STATUS_CODES, type Server } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { getRequestListener } from "@hono/node-server";
import { toWire } from "../contract/wire-error.ts";
import type { Clock } from "../foundation/clock.ts";
import { StrataError, wrapError } from "../foundation/errors.ts";
import { limits } from "../foundation/limits.ts";
import type { Origin } from "./arrival.ts";
import { Connections } from "./connections.ts";
import { lingeringResponse } from "./lingering.ts";
import { SlowReaders } from "./slow-readers.ts";

/** What answers requests. */
export interface Handler {
  /** Answers every request; never rejects. A request of this process has no origin. */
  fetch(request: Request, origin?: Origin): Promise<Response>;
  /** Is not ready from now on, and every answer asks for its connection to be closed. */
  drain(): void;
}

export interface ListenOptions {
  readonly clock: Clock;
  /** 0 for any that is free. */
  readonly port: number;
  /** The loopback by default. */
  readonly host?: string;
}

export interface Listener {
  /** The address to call, such as `http://127.0.0.1:8080`. */
  readonly url: string;
  /**
   * Takes no more connections, closes those on which no request has begun, and waits for the
   * others, at most `drainMsMax`; then closes what is left.
   */
  close(): Promise<void>;
}

const sweepMs = 50;

/**
 * What clients are told of `connectionIdleMsMax`. Node would tell all of it, and a client that
 * sends when it has nearly passed meets a closed connection: the rest is a margin for both sides'
 * pauses.
 */
const promisedIdleSeconds = 60;

/** UNAVAILABLE when the port cannot be had. */
export async function listen(handler: Handler, options: ListenOptions): Promise<Listener> {
  const { clock, port, host = "127.0.0.1" } = options;
  const answer = getRequestListener(
    (request, { incoming }) => handler.fetch(request, new SocketOrigin(incoming.socket)),
    // Clients of HTTP/1.0 may name no host.
    { errorHandler: malformed, hostname: "localhost" },
  );
  const server = createServer({
    ServerResponse: lingeringResponse(clock),
    headersTimeout: limits.headReceiveMsMax,
    // Long enough for the largest upload over a slow line; Node's own five minutes are not.
    requestTimeout: limits.requestReceiveMsMax,
    connectionsCheckingInterval: limits.headReceiveMsMax / 10,
    // Node's own five seconds end in the midst of what clients keep for use again.
    keepAliveTimeout: limits.connectionIdleMsMax,
  });
  const connections = new Connections(server);
  const slowReaders = new SlowReaders(connections, clock);
  server.on("request", (incoming, outgoing) => {
    outgoing.setHeader("keep-alive", `timeout=${promisedIdleSeconds}`);
    void answer(incoming, outgoing);
  });
  server.on("clientError", (error, socket: Socket) => {
    // Between the pieces of another answer there is no place for this one.
    if (connections.isIdle(socket)) refuse(error, socket);
    else socket.destroy();
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error) => {
      // Its clock would keep the process.
      slowReaders.close();
      reject(wrapError(error, "UNAVAILABLE", `Cannot listen on ${host}:${port}`));
    });
    server.listen(port, host, resolve);
  });
  const address = server.address() as AddressInfo; // It listens on a port, not on a pipe.
  const name = address.family === "IPv6" ? `[${address.address}]` : address.address;
  let closed: Promise<void> | undefined;
  return {
    url: `http://${name}:${address.port}`,
    close: () => {
      handler.drain();
      return (closed ??= stop(server, connections, clock).finally(() => slowReaders.close()));
    },
  };
}

function stop(server: Server, connections: Connections, clock: Clock): Promise<void> {
  return new Promise((resolve) => {
    const cancelDeadline = clock.schedule(limits.drainMsMax, () => server.closeAllConnections());
    // A kept-alive connection becomes idle only after its answer, so that one look is not enough.
    let cancelSweep = (): void => {};
    const sweep = (): void => {
      server.closeIdleConnections();
      // Node takes a connection for idle when it has answered on it, no earlier.
      connections.closeUnused();
      cancelSweep = clock.schedule(sweepMs, sweep);
    };
    server.close(() => {
      cancelDeadline();
      cancelSweep();
      resolve();
    });
    sweep();
  });
}

class SocketOrigin implements Origin {
  readonly #socket: Socket;

  constructor(socket: Socket) {
    this.#socket = socket;
  }

  get peer(): string {
    return this.#socket.remoteAddress ?? "";
  }

  receivedBytes(): number {
    return this.#socket.bytesRead;
  }
}

/** Tells a client whose bytes make no request, or none in time, before its connection closes. */
function refuse(error: NodeJS.ErrnoException, socket: Socket): void {
  const { status, body } = toWire(refusalOf(error));
  const text = JSON.stringify(body);
  const lines = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ""}`,
    "content-type: application/json",
    `content-length: ${Buffer.byteLength(text)}`,
    "connection: close",
  ];
  socket.end(`${lines.join("\r\n")}\r\n\r\n${text}`);
  socket.destroySoon();
}

function refusalOf(error: NodeJS.ErrnoException): StrataError {
  const action = "Cannot read the request";
  if (error.code === "ERR_HTTP_REQUEST_TIMEOUT")
    return new StrataError("TOO_SLOW", `${action}: it did not arrive in time`);
  if (error.code === "HPE_HEADER_OVERFLOW")
    return new StrataError("TOO_LARGE", `${action}: its headers are too long`);
  return new StrataError("INVALID_ARGUMENT", `${action}: ${error.message}`);
}

/** What is no request in the sense of the standard, for example by its host header. */
function malformed(error: unknown): Response {
  const { status, body } = toWire(wrapError(error, "INVALID_ARGUMENT", "Cannot read the request"));
  return new Response(JSON.stringify(body), {
    status,
    headers: { "content-type": "application/json" },
  });
}
