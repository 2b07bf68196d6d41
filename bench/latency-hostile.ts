/** Forms and bodies that are broken in any way that a socket can carry. */
import { once } from "node:events";
import { connect } from "node:net";
import { limits } from "../src/foundation/limits.ts";
import { SeededRandom } from "../src/foundation/random.ts";

/** What a client would wait at most. */
const answerMsMax = limits.receiveIdleMsMax + limits.lingerMsMax;

interface Hostile {
  readonly path: string;
  readonly type: string;
  readonly body: Buffer;
  /** May differ from what is sent. */
  readonly declaredBytes: number;
  /** Whether the client closes its side when it has sent all. */
  readonly closes: boolean;
}

/** How many of `count` requests got no answer; `laneCount` are on their way at once. */
export async function countUnanswered(
  place: Place,
  count: number,
  laneCount: number,
): Promise<number> {
  let unanswered = 0;
  const ask = async (seed: number, stalls: boolean): Promise<void> => {
    if (!(await isAnswered(place, hostileOf(new SeededRandom(seed), stalls)))) unanswered += 1;
  };
  const lane = async (first: number): Promise<void> => {
    for (let seed = first; seed < count; seed += laneCount)
      if (seed % stallEvery > 0) await ask(seed, false);
  };
  const lanes = Array.from({ length: laneCount }, (_, index) => lane(index));
  // What never comes is waited for beside all others.
  for (let seed = 0; seed < count; seed += stallEvery) lanes.push(ask(seed, true));
  await Promise.all(lanes);
  return unanswered;
}

interface Place {
  readonly port: number;
  readonly apiKey: string;
}

/** One in so many declares more than it sends, and waits. */
const stallEvery = 50;

async function isAnswered({ port, apiKey }: Place, hostile: Hostile): Promise<boolean> {
  const socket = connect(port, "127.0.0.1").setEncoding("latin1");
  socket.on("error", () => {});
  const timer = setTimeout(() => socket.destroy(), answerMsMax);
  const head = [
    `POST ${hostile.path} HTTP/1.1`,
    "host: localhost",
    `authorization: Bearer ${apiKey}`,
    `content-type: ${hostile.type}`,
    `content-length: ${hostile.declaredBytes}`,
    "connection: close",
  ];
  socket.write(`${head.join("\r\n")}\r\n\r\n`);
  socket.write(hostile.body);
  if (hostile.closes) socket.end();
  let answer = "";
  socket.on("data", (text) => (answer += String(text)));
  await once(socket, "close");
  clearTimeout(timer);
  // Who closed before everything was sent has taken the question back.
  const tookBack = hostile.closes && hostile.declaredBytes > hostile.body.length;
  return /^HTTP\/1\.1 \d{3} /.test(answer) || tookBack;
}

function hostileOf(random: SeededRandom, stalls: boolean): Hostile {
  const isForm = random.integer(4) > 0;
  const whole = isForm ? hostileForm(random) : hostileJson(random);
  const cut = random.integer(3) === 0 ? random.integer(whole.length) : whole.length;
  const body = whole.subarray(0, cut);
  const closes = !stalls && random.integer(8) === 0;
  return {
    path: isForm
      ? "/v1/files"
      : (["/v1/classify", "/v1/embeddings", "/v1/models"][random.integer(3)] ?? ""),
    type: isForm ? "multipart/form-data; boundary=B" : "application/json",
    body,
    declaredBytes: body.length + (stalls || closes ? 1 + random.integer(100_000) : 0),
    closes,
  };
}

const dispositions = [
  'content-disposition: form-data; name="purpose"',
  'content-disposition: form-data; name="file"; filename="a.csv"',
  'content-disposition: form-data; name="file"',
  'content-disposition: form-data; name="other"; filename="b"',
  'content-disposition: attachment; filename="a.csv"',
  'content-disposition: form-data; filename="a.csv"',
  "content-type: text/plain",
  "",
  "no colon",
  "content-disposition: form-data; name=\"file\"; filename*=UTF-8''%ff",
  `x: ${"y".repeat(20_000)}`,
];

const contents = ["fine-tune", "text,label\na,x\nb,y\n", "", "\0\u00ff", "x".repeat(40_000), "--B"];

function hostileForm(random: SeededRandom): Buffer {
  let form = random.integer(8) === 0 ? "preamble\r\n" : "";
  for (let part = 0; part < 1 + random.integer(4); part++) {
    const disposition = dispositions[random.integer(dispositions.length)] ?? "";
    const content = contents[random.integer(contents.length)] ?? "";
    form += `--B\r\n${disposition}\r\n\r\n${content}\r\n`;
  }
  return mutated(`${form}--B--\r\n`, random);
}

function hostileJson(random: SeededRandom): Buffer {
  const bodies = [
    '{"model":"nobody","input":"a"}',
    `{"model":"nobody","input":${"[".repeat(20_000)}`,
    `{${'"a":'.repeat(20_000)}1}`,
    `{"model":"${"m".repeat(40_000)}","input":["a","b"]}`,
    `[${"1,".repeat(40_000)}1]`,
    '"\\ud800"',
  ];
  return mutated(bodies[random.integer(bodies.length)] ?? "", random);
}

/** Some bytes are others, or gone. */
function mutated(text: string, random: SeededRandom): Buffer {
  const bytes = Buffer.from(text, "latin1");
  const count = random.integer(4);
  for (let change = 0; change < count; change++)
    bytes[random.integer(bytes.length)] = random.integer(256);
  const gone = random.integer(bytes.length);
  return random.integer(4) > 0
    ? bytes
    : Buffer.concat([bytes.subarray(0, gone), bytes.subarray(gone + 1)]);
}
