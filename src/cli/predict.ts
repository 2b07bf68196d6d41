/** `strata predict`: classify texts from arguments, a file or stdin. */
import type { Readable } from "node:stream";
import { text as readText } from "node:stream/consumers";
import type { Command } from "commander";
import type { Classifications } from "../contract/inference.ts";
import { StrataError } from "../foundation/errors.ts";
import { limits } from "../foundation/limits.ts";
import type { CommandContext } from "./command-context.ts";
import { integerBetween } from "./command-context.ts";
import type { RemoteOptions, Session } from "./remote.ts";
import { connect, readBytes, remote } from "./remote.ts";

interface PredictFlags extends RemoteOptions {
  readonly file?: string;
  readonly top: number;
}

interface Prediction {
  readonly text: string;
  readonly label: string;
  readonly score: number;
  readonly scores: Classifications["data"][number]["scores"];
}

/** Texts of one call: enough to fill the engine's batches, few enough to show progress. */
const callTextCount = 64;

export function addPredict(program: Command, context: CommandContext): void {
  const command = program
    .command("predict")
    .argument("<model>", "a custom model, or <name>@<version>")
    .argument("[text...]", "texts to classify; none reads stdin, a text a line")
    .description("Classify texts: label, score and text, a line each.")
    .option("--file <path>", 'a text a line, or the "text" of each line when it ends in .jsonl')
    .option("--top <count>", "labels to score", integerBetween(1, limits.labelCountMax), 10)
    .action(async (model: string, texts: string[], flags: PredictFlags) => {
      const session = await connect(flags, context);
      await predict(session, { model, texts: await textsOf(texts, flags, context), flags });
    });
  remote(command, context, [
    'strata predict tickets "my card was swallowed by the machine"',
    "strata predict tickets --file new.jsonl --json",
    "cat lines.txt | strata predict tickets@2",
  ]);
}

async function predict(
  { client, output, context }: Session,
  { model, texts, flags }: { model: string; texts: readonly string[]; flags: PredictFlags },
): Promise<void> {
  const paint = await output.painter();
  const predictions: Prediction[] = [];
  for (const input of callsOf(texts)) {
    if (context.surroundings.signal.aborted)
      throw new StrataError("CANCELLED", "Cannot predict the remaining texts: interrupted");
    const { data } = await client.classify({ model, input, top_k: flags.top });
    for (const { index, label, score, scores } of data) {
      const text = input[index] ?? "";
      if (output.isJson) predictions.push({ text, label, score, scores });
      else output.line(`${paint("bold", label)}\t${score.toFixed(4)}\t${text}`);
    }
  }
  await output.result(predictions, () => undefined);
}

async function textsOf(
  texts: readonly string[],
  { file }: PredictFlags,
  { surroundings }: CommandContext,
): Promise<readonly string[]> {
  if (texts.length > 0 && file !== undefined)
    throw new StrataError("INVALID_ARGUMENT", "Cannot predict: expected either texts or --file");
  const found = texts.length > 0 ? texts : await linesOf(file, surroundings.input);
  if (found.length > 0) return found;
  throw new StrataError("INVALID_ARGUMENT", "Cannot predict: expected a text, got none");
}

async function linesOf(file: string | undefined, input: Readable): Promise<readonly string[]> {
  const content =
    file === undefined ? await readText(input) : (await readBytes(file)).toString("utf8");
  const lines = content.split(/\r?\n/);
  const read = file?.endsWith(".jsonl") === true ? textField : (line: string) => line;
  return lines.flatMap((line, index) => (line.trim() === "" ? [] : [read(line, index + 1)]));
}

function textField(line: string, number: number): string {
  const fault = `Cannot read line ${number}: expected an object with a string "text"`;
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch (cause) {
    throw new StrataError("INVALID_ARGUMENT", fault, { cause });
  }
  if (typeof value === "object" && value !== null && "text" in value)
    if (typeof value.text === "string") return value.text;
  throw new StrataError("INVALID_ARGUMENT", fault);
}

/** Cuts the texts into calls that stay within the server's limits. */
function* callsOf(texts: readonly string[]): Generator<string[]> {
  let call: string[] = [];
  let characters = 0;
  for (const text of texts) {
    const isFull = characters + text.length > limits.requestCharactersMax / 4;
    if (call.length > 0 && (isFull || call.length === callTextCount)) {
      yield call;
      call = [];
      characters = 0;
    }
    call.push(text);
    characters += text.length;
  }
  if (call.length > 0) yield call;
}
