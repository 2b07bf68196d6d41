/**
 * The unmodified `openai` client over real sockets: once before a whole server with a base model
 * of a few kilobytes, once before stand-ins, of which one can be overloaded at will.
 */
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe } from "node:test";
import { pullBase } from "../src/sources/pull.ts";
import { tinyCheckpoint, tinyConfig } from "../src/checkpoints/exam-tiny-checkpoint.ts";
import { systemClock } from "../src/foundation/clock.ts";
import { systemIds } from "../src/foundation/random.ts";
import { silentTelemetry } from "../src/foundation/telemetry.ts";
import { createHttp } from "../src/http/http.ts";
import { listen, type Listener } from "../src/listener/listener.ts";
import { overloadingText, standInBase, standInKey } from "../src/http/exam-services.ts";
import { standInServices } from "../src/http/exam-services.ts";
import { openServer, type Server } from "../src/server/server.ts";
import { createTelemetry } from "../src/server/telemetry.ts";
import { examineWithOpenAi } from "./exam-openai.ts";

describe("a whole server", () => {
  const apiKey = "sk-whole";
  let folder = "";
  let server: Server | undefined;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "strata-openai-"));
    const cacheFolder = join(folder, "cache");
    const source = join(folder, "tiny");
    await mkdir(source);
    for (const [name, content] of Object.entries(tinyCheckpoint()))
      await writeFile(join(source, name), content);
    const clock = systemClock;
    const surroundings = { fetch, clock, telemetry: silentTelemetry, environment: {} };
    await pullBase(`dir:${source}`, { ...surroundings, cacheFolder });
    server = await openServer({
      home: join(folder, "home"),
      cacheFolder,
      host: "127.0.0.1",
      port: 0,
      apiKey,
      precision: "fp32",
      workerCount: 1,
      clock,
      ids: systemIds,
      telemetry: createTelemetry("silent"),
      version: "0.0.0",
    });
  });

  after(async () => {
    await server?.close();
    await rm(folder, { recursive: true });
  });

  const dimensions = tinyConfig.hidden_size;
  examineWithOpenAi(() => ({ url: server?.url ?? "", apiKey, base: "tiny", dimensions }));
});

describe("stand-ins", () => {
  let listener: Listener | undefined;

  before(async () => {
    const services = await standInServices(systemClock);
    listener = await listen(createHttp(services), { clock: systemClock, port: 0 });
  });

  after(() => listener?.close());

  examineWithOpenAi(() => ({
    url: listener?.url ?? "",
    apiKey: standInKey,
    base: standInBase.id,
    dimensions: standInBase.config.hiddenSize,
    overloadingText,
  }));
});
