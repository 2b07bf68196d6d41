/**
 * Strata through its own typed client: a model that answers at once, and a second one derived from
 * it. Start a server first, then `STRATA_API_KEY=… node dist/examples/typed-client.js`.
 */
import { Client } from "../src/client/client.ts";

const client = new Client({
  baseUrl: process.env["STRATA_URL"] ?? "http://127.0.0.1:7860",
  apiKey: process.env["STRATA_API_KEY"] ?? "",
});

const csv = [
  "text,label",
  "what a lovely day,good",
  "I like this very much,good",
  "the best that I have seen,good",
  "what a terrible day,bad",
  "I do not like this at all,bad",
  "the worst that I have seen,bad",
].join("\n");
const file = await client.uploadFile(new Blob([csv]), "mood.csv");
await client.createModel({
  id: "mood-example",
  base: process.env["STRATA_BASE"] ?? "all-MiniLM-L6-v2",
  training_file: file.id,
});
const ids = ["mood-example-2"];
await client.deriveModels("mood-example", { ids, noise: 0.01, seed: 1 });

for (const model of ["mood-example", ...ids]) {
  const { data } = await client.classify({ model, input: ["I love it", "I hate it"] });
  console.log(model, data.map(({ label, score }) => `${label} ${score.toFixed(2)}`).join(", "));
  await client.deleteModel(model);
}
await client.deleteFile(file.id);
