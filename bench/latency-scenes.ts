/** The longest list, answer, upload, file and derivation that limits allow. */
import { request } from "node:http";
import { Readable } from "node:stream";
import { limits } from "../src/foundation/limits.ts";

export interface Sizes {
  readonly modelCount: number;
  readonly fileCount: number;
  readonly uploadBytes: number;
  /** Empty lines of a training file. */
  readonly lineCount: number;
  /** Labels of a training file that nobody could train on. */
  readonly labelCount: number;
  readonly derivedCount: number;
  readonly hostileCount: number;
}

export interface Scene {
  readonly scene: string;
  readonly size: string;
  work(): Promise<unknown>;
}

interface Place {
  readonly url: string;
  readonly apiKey: string;
  readonly sizes: Sizes;
}

interface Answered {
  readonly status: number;
  readonly bytes: number;
  /** The end of what was answered. */
  readonly tail: string;
}

const base = "all-MiniLM-L6-v2";
const labelCharacters = `${limits.labelCharactersMax} characters`;
const labels = Array.from({ length: limits.labelCountMax }, (_, index) =>
  `${index}-`.padEnd(limits.labelCharactersMax, "y"),
);
const texts = Array.from({ length: limits.inputCountMax }, (_, index) => `text ${index}`);

/** Prepares what the scenes need. */
export async function latencyScenes(place: Place): Promise<readonly Scene[]> {
  await createModel(place, "wide", labels);
  await createModel(place, "narrow", ["a", "b"]);
  return [...listScenes(place), ...answerScenes(place), ...bodyScenes(place), ...makeScenes(place)];
}

function listScenes(place: Place): readonly Scene[] {
  const { modelCount, fileCount } = place.sizes;
  const { labelCountMax } = limits;
  return [
    {
      scene: "list of models",
      size: `${modelCount} of ${labelCountMax} labels of ${labelCharacters}`,
      work: () => everyPage(place, "/v1/models"),
    },
    {
      scene: "list of files",
      size: `${fileCount} with reports of ${limits.reportedLineErrorCountMax} faults`,
      work: () => everyPage(place, "/v1/files"),
    },
  ];
}

function answerScenes(place: Place): readonly Scene[] {
  const widest = JSON.stringify(labels[0]).length + 48;
  const scoreCount = Math.floor(limits.answerBytesMax / (texts.length * widest));
  const ask = (path: string, body: object): Promise<Answered> => post(place, path, body);
  return [
    {
      scene: "longest classification",
      size: `${texts.length} texts, ${scoreCount} labels of ${labelCharacters}`,
      work: () => ask("/v1/classify", { model: "wide", input: texts, top_k: scoreCount }),
    },
    {
      scene: "longest embeddings",
      size: `${texts.length} texts as numbers`,
      work: () => ask("/v1/embeddings", { model: base, input: texts }),
    },
  ];
}

/** Bodies at their limit, made of what takes longest to read. */
function bodyScenes(place: Place): readonly Scene[] {
  const fill = (unit: string, count: number): string =>
    unit.repeat(Math.min(count, Math.floor((limits.requestBodyBytesMax - 200) / unit.length)));
  const bodies = new Map([
    ["escapes", `{"model":"nobody","input":"${fill("\\u00e9", limits.inputCharactersMax)}"}`],
    ["token ids", `{"model":"nobody","input":[${fill("1,", limits.requestTokensMax - 1)}1]}`],
    ["arrays", `{"model":"a","input":[${fill("[],", limits.jsonElementCountMax / 2 - 9)}[]]}`],
    ["members", `{${fill('"abcdefgh":1,', limits.jsonMemberCountMax - 9)}"model":"nobody"}`],
    ["brackets", fill("[", Infinity)],
    ["quotes", `{"model":"nobody","input":"${fill('\\"', Infinity)}"}`],
  ]);
  return [...bodies].map(([kind, body]) => ({
    scene: `body of ${kind}`,
    size: `${body.length} bytes`,
    work: () => send(place, "POST /v1/embeddings", jsonOf(body)),
  }));
}

function makeScenes(place: Place): readonly Scene[] {
  const { uploadBytes, lineCount, labelCount, derivedCount } = place.sizes;
  const piece = Buffer.alloc(1024 * 1024, "x".repeat(1023) + "\n");
  const long = (): Iterable<Buffer> =>
    Array.from({ length: Math.floor(uploadBytes / piece.length) }, () => piece);
  const lines = (): Iterable<Buffer> => [Buffer.alloc(lineCount, "\n")];
  const noise = { noise: 0.01, seed: 1 };
  const labelBytes = Buffer.byteLength(JSON.stringify(labels));
  const longCount = Math.floor(limits.derivedLabelBytesMax / labelBytes);
  const derive = (model: string, count: number): Promise<Answered> =>
    post(place, `/v1/models/${model}/derive`, { count, ...noise });
  return [
    {
      scene: "longest upload and download",
      size: `${uploadBytes} bytes`,
      work: async () => {
        const { tail } = await upload(place, long(), "user_data");
        const { id } = JSON.parse(tail) as { id: string }; // A file has one.
        await send(place, `GET /v1/files/${id}/content`);
      },
    },
    {
      scene: "training file of empty lines",
      size: `${lineCount} lines`,
      work: () => upload(place, lines(), "fine-tune"),
    },
    {
      scene: "training file of labels",
      size: `${labelCount} labels`,
      work: () => upload(place, labelLines(labelCount), "fine-tune"),
    },
    {
      scene: "derivation",
      size: `${derivedCount} models`,
      work: () => derive("narrow", derivedCount),
    },
    {
      scene: "derivation of long labels",
      size: `${longCount} models of ${labels.length} labels of ${labelCharacters}`,
      work: () => derive("wide", longCount),
    },
    {
      scene: "creation of long labels",
      size: `${labels.length} labels of ${labelCharacters}`,
      work: () => createModel(place, "wide-again", labels),
    },
  ];
}

function* labelLines(count: number): Generator<Buffer, void, undefined> {
  yield Buffer.from("text,label\n");
  const stepCount = 1_000;
  for (let start = 0; start < count; start += stepCount) {
    const rows = Array.from({ length: stepCount }, (_, index) => `a,label-${start + index}\n`);
    yield Buffer.from(rows.join(""));
  }
}

async function createModel(place: Place, id: string, names: readonly string[]): Promise<void> {
  const rows = [...names, ...names].map((name, index) => `word ${index},${name}\n`);
  const { tail } = await upload(place, [Buffer.from(`text,label\n${rows.join("")}`)], "fine-tune");
  const { id: file } = JSON.parse(tail) as { id: string }; // A file has one.
  const made = await post(place, "/v1/models", { id, base, training_file: file });
  if (made.status !== 200) throw new Error(`Cannot create "${id}": ${made.tail}`);
}

async function everyPage(place: Place, path: string): Promise<void> {
  for (let after: string | undefined; ;) {
    const query: string = after === undefined ? "" : `?after=${encodeURIComponent(after)}`;
    const { tail } = await send(place, `GET ${path}${query}`);
    const [, hasMore, last] = /"has_more":(\w+),.*"last_id":"([^"]*)"\}$/.exec(tail) ?? [];
    if (hasMore === undefined) throw new Error(`Cannot page ${path}: ${tail}`);
    if (hasMore === "false") return;
    after = last;
  }
}

function post(place: Place, path: string, body: object): Promise<Answered> {
  return send(place, `POST ${path}`, jsonOf(JSON.stringify(body)));
}

function jsonOf(content: string): Body {
  return { content, type: "application/json" };
}

function upload(place: Place, pieces: Iterable<Buffer>, purpose: string): Promise<Answered> {
  function* form(): Generator<Buffer, void, undefined> {
    const start = "--B\r\ncontent-disposition: form-data; name=";
    yield Buffer.from(`${start}"purpose"\r\n\r\n${purpose}\r\n`);
    yield Buffer.from(`${start}"file"; filename="a.csv"\r\n\r\n`);
    yield* pieces;
    yield Buffer.from("\r\n--B--\r\n");
  }
  const type = "multipart/form-data; boundary=B";
  return send(place, "POST /v1/files", { content: Readable.from(form()), type });
}

interface Body {
  readonly content: string | Readable;
  readonly type: string;
}

/** Sends, and reads the answer without keeping it. */
async function send(
  { url, apiKey }: Place,
  target: string,
  { content: body, type }: Body = { content: "", type: "" },
): Promise<Answered> {
  const [method = "", path = ""] = target.split(" ");
  const headers = {
    authorization: `Bearer ${apiKey}`,
    ...(type !== "" && { "content-type": type }),
    ...(typeof body === "string" && { "content-length": Buffer.byteLength(body) }),
  };
  return new Promise((resolve, reject) => {
    const sent = request(`${url}${path}`, { method, headers }, (answer) => {
      let bytes = 0;
      let tail = "";
      answer.on("data", (chunk: Buffer) => {
        bytes += chunk.length;
        tail = (tail + chunk.subarray(-1_000).toString("latin1")).slice(-1_000);
      });
      answer.on("end", () => resolve({ status: answer.statusCode ?? 0, bytes, tail }));
      answer.on("error", reject);
    });
    sent.on("error", reject);
    if (typeof body === "string") sent.end(body);
    else body.pipe(sent);
  });
}
