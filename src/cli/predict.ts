/** `strata predict`: classify texts, or find entities in them, from arguments, a file or stdin. */
import { type FileHandle, open } from "node:fs/promises";
import { basename } from "node:path";
import type { Command } from "commander";
import { type AskedTexts, askOf } from "../client/answers.ts";
import { StrataError } from "../foundation/errors.ts";
import { limits } from "../foundation/limits.ts";
import type { CommandContext } from "./command-context.ts";
import { integerBetween } from "./command-context.ts";
import { answerLine } from "./marked-text.ts";
import type { RemoteOptions, Session } from "./remote.ts";
import { connect, remote, unreadable } from "./remote.ts";

interface PredictFlags extends RemoteOptions {
  readonly file?: string;
  readonly top: number;
}

/** Texts of one call: enough to fill the engine's batches, few enough to show progress. */
const callTextCount = 64;

export function addPredict(program: Command, context: CommandContext): void {
  const command = program
    .command("predict")
    .argument("<model>", "a custom model, or <name>@<version>")
    .argument("[text...]", "texts to answer; none reads stdin, as a file")
    .summary("Classify texts, or find entities in them: a line each.")
    .description(
      [
        "Classify texts: label, score and text, a line each. A model for token classification",
        "finds entities: the text with each in brackets, its label and score behind it; brackets",
        "of the text itself stay as they are, and --json tells places. A text that was cut,",
        "being too long for the model, says so behind it. A file",
        "with a row that cannot be used is refused as a whole, each such row named, so that",
        "answers line up with rows; create and train leave such rows out.",
      ].join(" "),
    )
    .option("--file <path>", "JSON lines, CSV or CoNLL as for create, or a text a line")
    .option("--top <count>", "labels to score", integerBetween(1, limits.labelCountMax), 10)
    .action(async (model: string, texts: string[], flags: PredictFlags) => {
      const session = await connect(flags, context);
      await predict(session, { model, texts: await textsOf(session, texts, flags), flags });
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
  const bold = (label: string): string => paint("bold", label);
  // A version's task is its model's.
  const { strata } = await client.model(model.replace(/@[1-9]\d*$/, ""));
  const ask = askOf(strata);
  const predictions: object[] = [];
  for (const input of callsOf(texts)) {
    if (context.surroundings.signal.aborted)
      throw new StrataError("CANCELLED", "Cannot predict the remaining texts: interrupted");
    const asked: AskedTexts = { model, input, top: flags.top };
    for (const answer of (await ask(client, asked)).texts)
      if (output.isJson) predictions.push({ text: answer.text, ...answer.fields });
      else output.line(answerLine(answer, bold));
  }
  await output.result(predictions, () => undefined);
}

async function textsOf(
  session: Session,
  texts: readonly string[],
  { file }: PredictFlags,
): Promise<readonly string[]> {
  if (texts.length > 0 && file !== undefined)
    throw new StrataError("INVALID_ARGUMENT", "Cannot predict: expected either texts or --file");
  const found = texts.length > 0 ? texts : await textsIn(session, file);
  if (found.length > 0) return found;
  throw new StrataError("INVALID_ARGUMENT", "Cannot predict: expected a text, got none");
}

/** The texts of a file, or of stdin. */
async function textsIn(
  { output, context }: Session,
  file: string | undefined,
): Promise<readonly string[]> {
  const { commands, surroundings } = context;
  const filename = file === undefined ? "stdin" : basename(file);
  let handle: FileHandle | undefined;
  try {
    // It is opened first: a stream that cannot open its file says so while nobody listens yet.
    if (file !== undefined) handle = await open(file);
    const chunks = handle?.createReadStream() ?? surroundings.input;
    const { texts, warnings } = await commands.readTexts(chunks, {
      filename,
      signal: surroundings.signal,
    });
    if (warnings.length > 0) output.note(`Remarks on ${filename}:\n${warnings.join("\n")}`);
    return texts;
  } catch (error) {
    if (surroundings.signal.aborted)
      throw new StrataError("CANCELLED", `Cannot read "${file ?? filename}": interrupted`);
    throw unreadable(error, file ?? filename);
  } finally {
    await handle?.close();
  }
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
