/** Waiting for servers that come late, come half, or never come; time is moved by the test. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { PassThrough } from "node:stream";
import { test } from "node:test";
import type { Clock } from "../foundation/clock.ts";
import { systemIds } from "../foundation/random.ts";
import { awaitServer } from "./await-server.ts";
import { Output } from "./output.ts";
import type { Surroundings } from "./surroundings.ts";

interface Scene {
  readonly url: string;
  readonly server: Server;
  /** Milliseconds that were waited. */
  readonly waitedMs: () => number;
  readonly told: () => string;
  wait(seconds: number, signal?: AbortSignal): Promise<void>;
}

/** `onPause` is called with the time before each pause; a port is kept free for the server. */
async function inScene(
  work: (scene: Scene) => Promise<void>,
  onPause: (nowMs: number, scene: Scene) => unknown = () => undefined,
): Promise<void> {
  const server = createServer((_, response) => response.end("{}"));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo; // It listens on a port.
  server.close();
  let nowMs = 0;
  const clock: Clock = {
    now: () => nowMs,
    monotonic: () => nowMs,
    schedule(delayMs, callback) {
      const passing = async (): Promise<void> => {
        await onPause(nowMs, scene);
        nowMs += delayMs;
        callback();
      };
      void passing();
      return () => undefined;
    },
  };
  const errors = new PassThrough();
  const streams = { input: new PassThrough(), output: new PassThrough(), errors };
  const place = { environment: {}, ids: systemIds, userFolder: "", version: "1" };
  const scene: Scene = {
    url: `http://127.0.0.1:${port}`,
    server,
    waitedMs: () => nowMs,
    told: () => String(errors.read() ?? ""),
    wait(seconds, signal = new AbortController().signal) {
      const surroundings: Surroundings = { ...streams, ...place, clock, signal };
      const output = new Output(surroundings, false);
      return awaitServer(scene.url, { surroundings, output, seconds });
    },
  };
  try {
    await work(scene);
  } finally {
    server.close();
    server.closeAllConnections();
  }
}

async function listen({ server, url }: Scene): Promise<void> {
  server.listen(Number(new URL(url).port), "127.0.0.1");
  await once(server, "listening");
}

test("a server that listens is not waited for, and nothing is said", () =>
  inScene(async (scene) => {
    await listen(scene);
    await scene.wait(15);
    assert.deepEqual([scene.waitedMs(), scene.told()], [0, ""]);
  }));

test("one that listens after three seconds is waited for, told once", () =>
  inScene(
    async (scene) => {
      await scene.wait(15);
      assert.equal(scene.waitedMs(), 3100);
      assert.equal(scene.told(), `Waiting up to 15 s for the server at ${scene.url}\n`);
    },
    (nowMs, scene) => (nowMs === 3000 ? listen(scene) : undefined),
  ));

test("one that is not ready is waited for, and called all the same in the end", () =>
  inScene(async (scene) => {
    await listen(scene);
    scene.server.removeAllListeners("request");
    scene.server.on("request", (_, response) => response.writeHead(503).end());
    await scene.wait(2);
    assert.equal(scene.waitedMs(), 2000);
  }));

test("one that never comes is an error with what to do; without patience at once", () =>
  inScene(async (scene) => {
    for (const [seconds, waitedMs] of [
      [0, 0],
      [15, 15_000],
    ] as const) {
      await assert.rejects(scene.wait(seconds), /nothing listens there; start .*"strata serve"/);
      assert.equal(scene.waitedMs(), waitedMs);
    }
  }));

test("Ctrl-C ends the waiting", () => {
  const controller = new AbortController();
  return inScene(
    async (scene) => {
      await assert.rejects(scene.wait(15, controller.signal), { code: "CANCELLED" });
      assert.equal(scene.waitedMs(), 100);
    },
    () => controller.abort(),
  );
});
