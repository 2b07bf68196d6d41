/** Checks of real sockets: clients that write first, say nothing, do not read, or send nonsense. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type Server, type ServerResponse } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import { after, before, describe, test } from "node:test";
import { systemClock } from "../foundation/clock.ts";
import { limits } from "../foundation/limits.ts";
import { Connections } from "../listener/connections.ts";
import { createHttp } from "./http.ts";
import { listen, type Listener } from "../listener/listener.ts";
import { standInKey, standInServices } from "./exam-services.ts";

let listener: Listener;

before(async () => {
  const http = createHttp(await standInServices(systemClock));
  listener = await listen(http, { clock: systemClock, port: 0 });
});

after(() => listener.close());

function open(url = listener.url): Promise<Socket> {
  const socket = connect(Number(new URL(url).port), "127.0.0.1");
  return once(socket, "connect").then(() => socket);
}

async function nextText(socket: Socket): Promise<string> {
  const [text] = (await once(socket, "data")) as [string]; // It has an encoding.
  return text;
}

async function everything(socket: Socket): Promise<string> {
  let text = "";
  for await (const chunk of socket.setEncoding("utf8")) text += String(chunk);
  return text;
}

/** What a client sees that reads only after it has written everything, as urllib does. */
async function writeThenRead(head: readonly string[], body: Buffer): Promise<string> {
  const socket = await open();
  socket.pause();
  socket.write(`${head.join("\r\n")}\r\n\r\n`);
  const pieceBytes = 64 * 1024;
  for (let start = 0; start < body.length; start += pieceBytes) {
    const isFree = socket.write(body.subarray(start, start + pieceBytes));
    if (!isFree) await once(socket, "drain");
  }
  return everything(socket);
}

describe("an early answer is read", () => {
  const key = `authorization: Bearer ${standInKey}`;
  const json = "content-type: application/json";
  const long = Buffer.alloc(limits.requestBodyBytesMax * 4, "a");
  const length = `content-length: ${long.length}`;

  for (const version of ["1.0", "1.1"])
    test(`by a client of HTTP/${version} that sends a body past the limit`, async () => {
      const line = `POST /v1/classify HTTP/${version}`;
      const head = [line, "host: localhost", "connection: close", key, json, length];
      const answer = await writeThenRead(head, long);
      assert.match(answer, /^HTTP\/1\.1 413 /);
      assert.match(answer, /"code":"request_too_large"\}\}$/);
    });

  test("by a client without a key, and without a host in HTTP/1.0", async () => {
    const head = ["POST /v1/files HTTP/1.0", "content-type: multipart/form-data", length];
    assert.match(await writeThenRead(head, long), /^HTTP\/1\.1 401 .*"invalid_api_key"\}\}$/s);
  });

  test("by a client that keeps its connection, which then goes on", async () => {
    const socket = await open();
    const head = ["POST /v1/nothing HTTP/1.1", "host: localhost", key, length];
    socket.write(`${head.join("\r\n")}\r\n\r\n`);
    socket.setEncoding("utf8");
    assert.match(await nextText(socket), /^HTTP\/1\.1 404 /);
    socket.write(long);
    socket.write("GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n");
    assert.match(await nextText(socket), /^HTTP\/1\.1 200 /);
    socket.destroy();
  });
});

test("who says nothing does not keep a server that stops, who has begun to ask does", async () => {
  const http = createHttp(await standInServices(systemClock));
  const own = await listen(http, { clock: systemClock, port: 0 });
  const [silent, asking] = [await open(own.url), (await open(own.url)).setEncoding("utf8")];
  // By its answer it is known that both have been accepted.
  const other = (await open(own.url)).setEncoding("utf8");
  other.write("GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n");
  assert.match(await nextText(other), /^HTTP\/1\.1 200 /);
  asking.write("GET /healthz HTTP/1.1\r\n");
  other.write("GET /readyz HTTP/1.1\r\nhost: localhost\r\n\r\n");
  assert.match(await nextText(other), /^HTTP\/1\.1 /);
  const closed = own.close();
  await once(silent.resume(), "close");
  asking.write("host: localhost\r\n\r\n");
  assert.match(await nextText(asking), /^HTTP\/1\.1 200 .*connection: close/s);
  await closed;
  for (const socket of [silent, asking, other]) socket.destroy();
});

test("a kept connection outlives what its client is promised, and no stop", async () => {
  const http = createHttp(await standInServices(systemClock));
  const own = await listen(http, { clock: systemClock, port: 0 });
  const socket = (await open(own.url)).setEncoding("utf8");
  socket.write("GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n");
  const answer = await nextText(socket);
  const promised = /\r\nkeep-alive: timeout=(\d+)\r\n/i.exec(answer)?.[1];
  // Common proxies and libraries keep a connection for up to a minute.
  assert.ok(Number(promised) >= 60);
  assert.ok(limits.connectionIdleMsMax >= 1000 * Number(promised) + 10_000);
  const ended = once(socket.resume(), "close");
  await own.close();
  await ended;
});

test("bytes that are no request are refused in the envelope", async () => {
  const socket = await open();
  socket.write("nonsense\r\n\r\n");
  const answer = await everything(socket);
  assert.match(answer, /^HTTP\/1\.1 400 Bad Request\r\n/);
  assert.match(answer, /\{"error":\{"message":"Cannot read the request: .*"invalid_request_error"/);
});

test("a head that is too long is refused in the envelope", async () => {
  const socket = await open();
  socket.write(`GET / HTTP/1.1\r\nhost: a\r\nx: ${"a".repeat(20_000)}\r\n\r\n`);
  assert.match(await everything(socket), /^HTTP\/1\.1 413 .*its headers are too long/s);
});

describe("connections that say nothing give way", () => {
  /** A server with room for three connections, two of them for one peer, unless it is alone. */
  async function small(peerCountMax: number): Promise<{ server: Server; url: string }> {
    const server = createServer((_, response) => response.end("here"));
    new Connections(server, { countMax: 3, peerCountMax });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo; // It listens on a port.
    return { server, url: `http://127.0.0.1:${port}` };
  }

  for (const peerCountMax of [2, 3])
    test(`of a peer that may have ${peerCountMax}`, async () => {
      const { server, url } = await small(peerCountMax);
      const silent = [];
      for (let count = 0; count < 10; count++) silent.push(await open(url));
      const talking = await open(url);
      talking.write("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
      talking.setEncoding("utf8");
      assert.match(await nextText(talking), /^HTTP\/1\.1 200 /);
      for (const socket of [...silent, talking]) socket.destroy();
      server.close();
    });

  test("but not while the second of two requests is at work", async (t) => {
    const later: ServerResponse[] = [];
    const server = createServer(({ url }, response) => {
      if (url === "/at-once") response.end("first");
      else later.push(response);
    });
    const connections = new Connections(server, { countMax: 3, peerCountMax: 3 });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo; // It listens on a port.
    const url = `http://127.0.0.1:${port}`;
    const talking = (await open(url)).setEncoding("utf8");
    t.after(() => talking.destroy());
    const ask = (path: string): string => `GET ${path} HTTP/1.1\r\nhost: a\r\n\r\n`;
    talking.write(ask("/at-once") + ask("/later") + ask("/last"));
    assert.match(await nextText(talking), /first/);
    assert.equal(later.length, 2);
    const silent: Socket[] = [];
    t.after(() => silent.forEach((socket) => socket.destroy()));
    t.after(() => server.close());
    for (let count = 0; count < 10; count++) silent.push(await open(url));
    assert.equal([...connections.working].length, 2);
    later[0]?.end("second");
    assert.match(await nextText(talking), /second/);
    // The turn of the last answer has come, but it never will.
    talking.write(ask("/never"));
    while (later.length < 3) await new Promise(setImmediate);
    assert.equal([...connections.working].length, 2);
    for (const socket of [...silent, talking]) socket.destroy();
    server.close();
    await once(server, "close");
    // Sockets tell of their end a few turns later.
    for (let turn = 0; turn < 100; turn++) await new Promise(setImmediate);
    assert.equal([...connections.working].length, 0);
  });
});
