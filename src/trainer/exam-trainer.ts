/** A trainer over the stack of a small base, with what its exams give it and ask of it. */
import type { FamilyName } from "../foundation/kind-names.ts";
import { rm } from "node:fs/promises";
import { writeSmallCheckpoint } from "../checkpoints/exam-small-checkpoint.ts";
import { operator } from "../entities/caller.ts";
import type { Job, JobEvent, JobSpecification } from "../entities/job.ts";
import type { Version, VirtualModel } from "../entities/virtual-model.ts";
import { storedFile } from "../files/exam-file.ts";
import { createFiles } from "../files/store-files.ts";
import { systemClock } from "../foundation/clock.ts";
import { systemIds } from "../foundation/random.ts";
import { silentTelemetry } from "../foundation/telemetry.ts";
import { trainingBaseOf } from "../learning/exam-base.ts";
import { asJsonLines, type Line } from "../learning/exam-lines.ts";
import type { TrainingBase } from "../learning/training-base.ts";
import { modelNamed, openStack, type Stack } from "../processor/exam-stack.ts";
import { JobTrainer } from "./job-trainer.ts";
import { type LabelsAnswer, labelsQuestion } from "../processor/questions.ts";

/** Values with which the small base learns what `hardLines` ask of it. */
export const wellTrained = { epochCount: 12, learningRate: 0.01, rank: 16 } as const;

/** The base is called `base`; the caller is the operator. */
export class ExamTrainer {
  readonly stack: Stack;
  readonly #base: TrainingBase;
  readonly #afterwards: () => Promise<void>;
  #trainer: JobTrainer;

  constructor(
    stack: Stack,
    base: TrainingBase,
    afterwards = (): Promise<void> => Promise.resolve(),
  ) {
    this.stack = stack;
    this.#base = base;
    this.#afterwards = afterwards;
    this.#trainer = trainerOver(stack, base);
  }

  /** The trainer of now: another one after a restart. */
  get trainer(): JobTrainer {
    return this.#trainer;
  }

  /** Starts another trainer on what a closed one has left. */
  async restart(): Promise<void> {
    this.#trainer = trainerOver(this.stack, this.#base);
    await this.#trainer.start();
  }

  async close(): Promise<void> {
    await this.#trainer.close();
    await this.stack.close();
    await this.#afterwards();
  }

  /** Stores a file as one from before files told their task, unchecked; returns its id. */
  upload(lines: readonly Line[] | string): Promise<string> {
    return storedFile(this.stack.store, typeof lines === "string" ? lines : asJsonLines(lines));
  }

  /** A job on a new model of the base, unless `rest` names another. */
  async submit(
    lines: readonly Line[] | string,
    rest: Partial<JobSpecification> = {},
  ): Promise<Job> {
    const trainingFile = await this.upload(lines);
    return this.#trainer.submit(operator, { model: "base", trainingFile, ...rest });
  }

  /** The job as it is when it has ended. */
  async run(lines: readonly Line[] | string, rest: Partial<JobSpecification> = {}): Promise<Job> {
    return this.finished(await this.submit(lines, rest));
  }

  finished({ id }: Job): Promise<Job> {
    return this.#trainer.finished(operator, id);
  }

  /** A model with an instant version. */
  async create(id: string, lines: readonly Line[]): Promise<VirtualModel> {
    const trainingFile = await this.upload(lines);
    return this.stack.creator.create(operator, { id, base: "base" }, () =>
      this.#trainer.fitInstant(operator, { base: "base", trainingFile }),
    );
  }

  /** The model of this name, and all its versions. */
  async modelOf(
    id: string | undefined,
  ): Promise<{ readonly model: VirtualModel; readonly versions: readonly Version[] }> {
    const model = await modelNamed(this.stack, id ?? "");
    const { versions } = this.stack.store.catalog.of(operator);
    return { model, versions: await versions.list(model.incarnation, { limit: 100 }) };
  }

  eventsOf({ id }: Job): Promise<readonly JobEvent[]> {
    return this.stack.store.catalog.of(operator).events.list(id, { limit: 10_000 });
  }

  async messagesOf(job: Job): Promise<readonly string[]> {
    return (await this.eventsOf(job)).map(({ message }) => message);
  }

  /** Resolves with the job's next event whose message matches. */
  nextEvent(job: Job, pattern: RegExp): Promise<JobEvent> {
    return new Promise((resolve) => {
      const stop = this.#trainer.watch(operator, job.id, (event) => {
        if (!pattern.test(event.message)) return;
        stop();
        resolve(event);
      });
    });
  }

  classify(model: string | undefined, inputs: readonly string[]): Promise<LabelsAnswer> {
    return this.stack.processor.ask(operator, labelsQuestion, { model: model ?? "", inputs });
  }
}

/** How many of the lines of `hardLines` an answer to their texts has right. */
export function rightCountOf({ probabilities }: LabelsAnswer, lines: readonly Line[]): number {
  return lines.filter(({ label }, index) => {
    const [other = 0, same = 0] = probabilities[index] ?? [];
    return (same > other ? "same" : "other") === label;
  }).length;
}

/** A started trainer over a small base of the family, in float32. */
export async function openExamTrainer(family: FamilyName = "bert"): Promise<ExamTrainer> {
  const folder = await writeSmallCheckpoint(family);
  const stack = await openStack({ folder, precision: "fp32" });
  const remove = (): Promise<void> => rm(folder, { recursive: true });
  const exam = new ExamTrainer(stack, trainingBaseOf(stack), remove);
  await exam.trainer.start();
  return exam;
}

function trainerOver({ store, creator }: Stack, base: TrainingBase): JobTrainer {
  const parts = { store, clock: systemClock, ids: systemIds };
  return new JobTrainer({
    ...parts,
    creator,
    files: createFiles(parts),
    telemetry: silentTelemetry,
    openBase: async () => base,
    checkBase: () => {},
  });
}
