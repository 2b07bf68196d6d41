/**
 * The new version beside the served one. Compared are the held-out texts that both remember, less
 * what either was trained on: the new data alone would not show what the served version knows and
 * the new one has lost, nor would a file of wrong labels look wrong by itself.
 */
import type { Caller } from "../entities/caller.ts";
import type { Version, VirtualModel } from "../entities/virtual-model.ts";
import { faultOfShapes, faultOfValues, shapesOf } from "../entities/weights.ts";
import { decodeWeights } from "../formats/safetensors.ts";
import { present } from "../foundation/assert.ts";
import { StrataError } from "../foundation/errors.ts";
import {
  adapterTensors,
  allLayers,
  formsIn,
  upperBottleneck,
} from "../models/adapters/adapters.ts";
import { faultOfFit } from "../models/version-fit.ts";
import { versionTensors } from "../models/version-tensors.ts";
import type { Value } from "../runtime/runtime.ts";
import type { Store } from "../storage/storage.ts";
import { answersTo } from "../learning/answers.ts";
import type { Source } from "../learning/sequences.ts";
import { taskKinds } from "../tasks/task-kinds.ts";
import type { Answer, Judged as TextJudged, TaskKind } from "../tasks/tasks.ts";
import { decodeEvidence, type Evidence, hasSeen, type HeldOutRow } from "./evidence.ts";
import type { TrainingBase } from "../learning/training-base.ts";
import type { ComparedRow } from "./verdict.ts";

/** The version to compare with. */
export interface Served {
  readonly version: Version;
  /** Undefined for a version from before it was kept, or when it cannot be read. */
  readonly evidence: Evidence | undefined;
}

/** The store in which the served version is read, and who is told of what cannot be read. */
export interface Reading {
  readonly caller: Caller;
  readonly store: Store;
  onDamage(message: string): void;
}

export async function servedOf(reading: Reading, model: VirtualModel): Promise<Served | undefined> {
  const { caller, store } = reading;
  const { incarnation, servedVersion } = model;
  if (servedVersion === undefined) return undefined;
  const version = await store.catalog.of(caller).versions.get(incarnation, servedVersion);
  if (version === undefined) return undefined;
  const { evidence: digest } = version;
  if (digest === undefined) return { version, evidence: undefined };
  const read = async (): Promise<Evidence> => decodeEvidence(await store.blobs.get(digest));
  return { version, evidence: await readableOf(reading, read) };
}

/** What the new version holds out, with its answers, whether it will be remembered or not. */
export interface Judged {
  readonly evidence: Evidence;
  /** Its held-out texts, and those that only the served version remembers. */
  readonly byDigest: ReadonlyMap<number, Pick<HeldOutRow, "expected" | "answer">>;
}

/** Texts that only the served version remembers, and that the new one was not trained on. */
export function othersOf(
  served: Served | undefined,
  fresh: { readonly seen: Float64Array; readonly held: ReadonlySet<number> },
): readonly HeldOutRow[] {
  const rows = served?.evidence?.rows ?? [];
  return rows.filter(({ digest }) => !fresh.held.has(digest) && !hasSeen(fresh, digest));
}

/** Held-out texts as they are asked. */
export function sourceOf(rows: readonly HeldOutRow[]): Source {
  const firsts = rows.flatMap((row) => row.firsts ?? []);
  return {
    ids: rows.map(({ ids }) => ids),
    firsts: firsts.length === rows.length ? firsts : undefined,
    states: undefined,
  };
}

/** Both versions' answers to what neither was trained on. */
export async function comparedRows(
  parts: Reading & { readonly base: TrainingBase; readonly served: Served },
  judged: Judged,
): Promise<readonly ComparedRow[]> {
  const { version, evidence } = parts.served;
  if (evidence === undefined) return [];
  const remembered = new Map(evidence.rows.map((row) => [row.digest, row]));
  const rows = new Map(remembered);
  for (const row of judged.evidence.rows) if (!rows.has(row.digest)) rows.set(row.digest, row);
  const compared = [...rows.values()].filter(
    ({ digest }) => judged.byDigest.has(digest) && !hasSeen(evidence, digest),
  );
  // What it remembers are answers of forms that were not chosen by them; what was derived from it
  // has weights, and so answers, of its own.
  const isAsked = ({ digest }: HeldOutRow): boolean =>
    version.kind === "derived" || !remembered.has(digest);
  const asked = compared.filter(isAsked);
  const answers = await servedAnswers(parts, asked);
  if (answers === undefined) return [];
  const answerOf = new Map(asked.map(({ digest }, index) => [digest, answers[index]]));
  const judge = spelledJudge(taskKinds[version.task]);
  return compared.map(({ digest }) => {
    const own = present(judged.byDigest.get(digest), "an answer to what is compared");
    const known = remembered.get(digest);
    const servedAnswer = answerOf.get(digest) ?? present(known, "it is asked or known").answer;
    return {
      isDisputed: known !== undefined && known.expected !== own.expected,
      served: judge(own.expected, servedAnswer),
      newer: judge(own.expected, own.answer),
    };
  });
}

/** Judges spelled answers: versions may number labels differently, so that words are compared. */
function spelledJudge(kind: TaskKind): (expected: string, given: string) => TextJudged {
  const numbers = new Map<string, number>();
  const numberOf = (label: string): number => {
    const number = numbers.get(label) ?? numbers.size;
    numbers.set(label, number);
    return number;
  };
  const parsed = (spelled: string): Answer => kind.parsed(spelled, numberOf);
  return (expected, given) => kind.judged(parsed(expected), parsed(given));
}

/** What the served weights answer, or undefined when they cannot be read. */
async function servedAnswers(
  parts: Reading & { readonly base: TrainingBase; readonly served: Served },
  rows: readonly HeldOutRow[],
): Promise<readonly string[] | undefined> {
  const { base, store, served } = parts;
  const { blob, task, adapter, labels, pooling } = served.version;
  const { config } = base.checkpoint;
  const kind = taskKinds[task];
  const outputCount = kind.outputCount(labels.length);
  const wanted = versionTensors(config, { adapter, outputCount });
  const loaded = await readableOf(parts, async () => {
    const adapters = formsIn(allLayers(config));
    const misfit = faultOfFit(served.version, { config, form: "dense", adapters })?.state;
    if (misfit !== undefined) throw unreadable(served.version, misfit);
    const read = decodeWeights(await store.blobs.get(blob));
    const fault = faultOfShapes(shapesOf(read), wanted) ?? faultOfValues(read);
    if (fault === undefined) return read;
    throw unreadable(served.version, fault);
  });
  if (loaded === undefined) return undefined;
  // A head alone runs in the graph of adapters, with one that does nothing.
  const form = adapter ?? upperBottleneck(config, 1);
  const idle = adapter === undefined ? adapterTensors(config, form) : [];
  const tensors = new Map<string, Value>();
  for (const { name, shape } of [...wanted, ...idle]) {
    const count = shape.reduce((product, size) => product * size, 1);
    const values = loaded.get(name)?.values.slice() ?? new Float32Array(count);
    tensors.set(name, { kind: "value", type: "float32", shape, values });
  }
  const asked = { kind, pooling, labelCount: labels.length, source: sourceOf(rows) };
  const answers = await answersTo(base, asked, { method: "adapter", adapter: form, tensors });
  return answers.map((answer) => kind.spelled(answer, labels));
}

function unreadable({ number }: Version, fault: string): StrataError {
  return new StrataError("CORRUPT", `Cannot read version ${number}: ${fault}`);
}

/** Undefined for bytes that are damaged or gone: a new version must be able to replace them. */
async function readableOf<T>(
  { onDamage }: Reading,
  read: () => Promise<T>,
): Promise<T | undefined> {
  try {
    return await read();
  } catch (error) {
    if (!(error instanceof StrataError) || !["CORRUPT", "NOT_FOUND"].includes(error.code))
      throw error;
    onDamage(error.message);
    return undefined;
  }
}
