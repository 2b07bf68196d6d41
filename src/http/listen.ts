/** A socket in front of `Http`, which stops without dropping what it has begun. */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { getRequestListener } from "@hono/node-server";
import { toWire } from "../contract/wire-error.ts";
import type { Clock } from "../foundation/clock.ts";
import { wrapError } from "../foundation/errors.ts";
import { limits } from "../foundation/limits.ts";
import type { Http } from "./http.ts";

export interface ListenOptions {
  readonly clock: Clock;
  /** 0 for any that is free. */
  readonly port: number;
  /** The loopback by default. */
  readonly host?: string;
}

export interface Listener {
  /** For example `http://127.0.0.1:8080`. */
  readonly url: string;
  /**
   * Takes no more connections and waits for what is in flight, at most `drainMsMax`; then closes
   * what is left.
   */
  close(): Promise<void>;
}

const sweepMs = 50;

/** UNAVAILABLE when the port cannot be had. */
export async function listen(http: Http, options: ListenOptions): Promise<Listener> {
  const { clock, port, host = "127.0.0.1" } = options;
  const answer = getRequestListener((request) => http.fetch(request), { errorHandler: malformed });
  // Long enough for the largest upload over a slow line; Node's own five minutes are not.
  const receive = { requestTimeout: limits.requestReceiveMsMax };
  const server = createServer(receive, (incoming, outgoing) => void answer(incoming, outgoing));
  server.maxConnections = limits.connectionCountMax;
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error) =>
      reject(wrapError(error, "UNAVAILABLE", `Cannot listen on ${host}:${port}`)),
    );
    server.listen(port, host, resolve);
  });
  const address = server.address() as AddressInfo; // It listens on a port, not on a pipe.
  const name = address.family === "IPv6" ? `[${address.address}]` : address.address;
  let closed: Promise<void> | undefined;
  return {
    url: `http://${name}:${address.port}`,
    close: () => (closed ??= stop(server, http, clock)),
  };
}

function stop(server: Server, http: Http, clock: Clock): Promise<void> {
  http.drain();
  return new Promise((resolve) => {
    const cancelDeadline = clock.schedule(limits.drainMsMax, () => server.closeAllConnections());
    // A kept-alive connection becomes idle only after its answer, so that one look is not enough.
    let cancelSweep = (): void => {};
    const sweep = (): void => {
      server.closeIdleConnections();
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

/** What is no request in the sense of the standard, for example by its host header. */
function malformed(error: unknown): Response {
  const { status, body } = toWire(wrapError(error, "INVALID_ARGUMENT", "Cannot read the request"));
  return new Response(JSON.stringify(body), {
    status,
    headers: { "content-type": "application/json" },
  });
}
