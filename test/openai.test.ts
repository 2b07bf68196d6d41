/** The unmodified `openai` client over real sockets, before components that are stood in for. */
import { after, before } from "node:test";
import { systemClock } from "../src/foundation/clock.ts";
import { createHttp } from "../src/http/http.ts";
import { listen, type Listener } from "../src/http/listen.ts";
import { overloadingText, standInBase, standInKey } from "../src/http/stand-ins.ts";
import { standInServices } from "../src/http/stand-ins.ts";
import { examineWithOpenAi } from "./openai-exam.ts";

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
