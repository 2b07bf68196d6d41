/**
 * Strata through the unmodified `openai` package: upload, train, embed. Start a server first, then
 * `STRATA_API_KEY=… node dist/examples/openai-client.js`.
 */
import OpenAI, { toFile } from "openai";

const openai = new OpenAI({
  baseURL: `${process.env["STRATA_URL"] ?? "http://127.0.0.1:7860"}/v1`,
  apiKey: process.env["STRATA_API_KEY"] ?? "",
});
const base = process.env["STRATA_BASE"] ?? "all-MiniLM-L6-v2";

const lines = [
  ...["my card was swallowed", "the machine kept my card", "somebody stole my card"].map(
    (text) => ({ text, label: "card" }),
  ),
  ...["my transfer is late", "how long does a transfer take", "I sent too much money"].map(
    (text) => ({ text, label: "transfer" }),
  ),
];
const content = lines.map((line) => JSON.stringify(line)).join("\n");
const file = await openai.files.create({
  file: await toFile(Buffer.from(content), "tickets.jsonl"),
  purpose: "fine-tune",
});

let job = await openai.fineTuning.jobs.create({
  model: base,
  training_file: file.id,
  suffix: "tickets",
});
while (job.finished_at === null) {
  await new Promise((resolve) => setTimeout(resolve, 500));
  job = await openai.fineTuning.jobs.retrieve(job.id);
}
console.log(`${job.status}: ${job.fine_tuned_model}`);

const { data } = await openai.embeddings.create({ model: base, input: "where is my money?" });
console.log(`embedding of ${data[0]?.embedding.length} numbers`);

if (job.fine_tuned_model !== null) await openai.models.delete(job.fine_tuned_model);
await openai.files.delete(file.id);
