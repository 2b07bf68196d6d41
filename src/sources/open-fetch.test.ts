import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, it } from "node:test";
import { FileServer } from "./exam-file-server.ts";
import { openFetch } from "./open-fetch.ts";

describe("fetch by the environment", { timeout: 30_000 }, () => {
  it("goes straight without a proxy", async () => {
    const server = await FileServer.start();
    try {
      server.files.set("/a", { body: "here" });
      const reach = await openFetch({});
      assert.equal(await (await reach(`${server.address}/a`)).text(), "here");
    } finally {
      await server.stop();
    }
  });

  it("asks the proxy, save for the hosts that are excepted", async () => {
    const asked: string[] = [];
    const proxy = createServer().on("connect", (request, socket) => {
      asked.push(request.url ?? "");
      socket.end("HTTP/1.1 502 No\r\n\r\n");
    });
    await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));
    const { port } = proxy.address() as AddressInfo; // it listens on TCP
    const environment = { https_proxy: `http://127.0.0.1:${port}`, NO_PROXY: "127.0.0.1" };
    try {
      const reach = await openFetch(environment);
      await assert.rejects(reach("https://models.invalid/a"));
      assert.deepEqual(asked, ["models.invalid:443"]);
      await assert.rejects(reach(`https://127.0.0.1:${port}/a`));
      assert.equal(asked.length, 1);
    } finally {
      proxy.closeAllConnections();
      proxy.close();
    }
  });
});
