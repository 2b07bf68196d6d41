/** Many models for a load, made in a moment: one small model, and copies of it with noise. */
import { Client } from "../src/client/client.ts";

export interface Copies {
  readonly url: string;
  readonly apiKey: string;
  readonly count: number;
  /** The text of an example. */
  textOf(index: number): string;
}

/** Returns the ids of the copies. */
export async function createCopies({
  url,
  apiKey,
  count,
  textOf,
}: Copies): Promise<readonly string[]> {
  const client = new Client({ baseUrl: url, apiKey });
  const lines = Array.from({ length: 40 }, (_, index) =>
    JSON.stringify({ text: textOf(index), label: `l${index % 4}` }),
  );
  const file = await client.uploadFile(Buffer.from(lines.join("\n")), "bench.jsonl");
  await client.createModel({ id: "bench", base: "all-MiniLM-L6-v2", training_file: file.id });
  const ids = Array.from({ length: count }, (_, index) => `bench-${index}`);
  await client.deriveModels("bench", { ids, noise: 0.01, seed: 1 });
  return ids;
}
