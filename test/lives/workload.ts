/** Which operation comes next: a mix that each seed weighs otherwise, aimed at what is there. */
import { type TaskName, taskNames } from "../../src/foundation/kind-names.ts";
import { defaultTask } from "../../src/entities/virtual-model.ts";
import { present } from "../../src/foundation/assert.ts";
import type { Random } from "../../src/foundation/random.ts";
import { badContent, contentOf, contents, textOf } from "./contents.ts";
import { badRequest } from "./bad-requests.ts";
import { deleteFile, download, listFiles, upload } from "./file-operations.ts";
import { classify, classifyTokens, embed } from "./inference-operations.ts";
import {
  type AskedAdapter,
  cancelJob,
  createJob,
  deleteJob,
  listEvents,
  listJobs,
  retrieveJob,
} from "./job-operations.ts";
import type { Ledger } from "./ledger.ts";
import { isFinal, type JobLife, type ModelLife } from "./ledger-entries.ts";
import {
  createModel,
  deleteModel,
  deleteVersion,
  derive,
  listModels,
  listVersions,
  retrieveModel,
  serve,
} from "./model-operations.ts";
import type { Operation } from "./operation.ts";
import { baseName } from "./tiny-base.ts";

const names = ["m0", "m1", "m2", "m3", "d0", "d1"];
const fileCountMax = 6;
/** Jobs run one after another: more of them would only wait. */
const waitingJobCountMax = 4;
const epochCountMax = 2;
const seedCount = 4;
/** Questions that are asked at once. */
const crowdMax = 6;
/** The weights of a version with the highest fit into the pool. */
const rankMax = 8;
/** The share of operations on an id of which another tenant's is taken. */
const foreignShare = 0.05;

export interface Known {
  /** What the tenant has. */
  readonly ledger: Ledger;
  /** What others have, whose ids are tried now and then. */
  readonly others: readonly Ledger[];
}

/** Undefined when there is nothing that it could be done to. */
type Maker = () => Operation | undefined;

export class Workload {
  readonly #random: Random;
  readonly #ledger: Ledger;
  readonly #others: readonly Ledger[];
  readonly #makers: readonly { readonly weight: number; readonly make: Maker }[];
  readonly #weightSum: number;

  constructor(random: Random, { ledger, others }: Known) {
    this.#random = random;
    this.#ledger = ledger;
    this.#others = others;
    const kinds: readonly (readonly [number, Maker])[] = [
      [8, () => this.#upload()],
      [3, () => this.#onFile(deleteFile)],
      [3, () => this.#onFile(download)],
      [1, listFiles],
      [10, () => this.#create()],
      [3, () => this.#derive()],
      [9, () => this.#delete()],
      [8, () => this.#serve()],
      [6, () => this.#onVersion(deleteVersion)],
      [3, () => retrieveModel(this.#name())],
      [2, () => listVersions(this.#name())],
      [1, listModels],
      [26, () => this.#train()],
      [2, () => this.#onJob(cancelJob, true)],
      [2, () => this.#onJob(retrieveJob)],
      [1, () => this.#onJob(deleteJob)],
      [1, () => this.#onJob(listEvents)],
      [1, listJobs],
      [30, () => this.#ask()],
      [
        5,
        () =>
          embed({
            ...this.#question(),
            ...(this.#chance(0.2) && { name: baseName, version: undefined }),
          }),
      ],
      [2, () => badRequest(random)],
    ];
    this.#makers = kinds.map(([weight, make]) => ({
      weight: weight * (0.3 + 1.7 * random.uniform()),
      make,
    }));
    this.#weightSum = this.#makers.reduce((sum, { weight }) => sum + weight, 0);
  }

  next(): Operation {
    for (;;) {
      let rest = this.#random.uniform() * this.#weightSum;
      const chosen = this.#makers.find(({ weight }) => (rest -= weight) < 0);
      const operation = chosen?.make();
      if (operation !== undefined) return operation;
    }
  }

  /** Questions to some versions of any models, which are asked at once: they meet in batches. */
  crowd(): readonly Operation[] {
    const versions = this.#lives().flatMap((life) => [...life.versions.values()]);
    const adapted = versions.filter(({ adapter }) => adapter !== undefined);
    if (versions.length === 0) return [];
    return Array.from({ length: 2 + this.#random.integer(crowdMax - 1) }, () => {
      const among = adapted.length > 0 && this.#chance(0.7) ? adapted : versions;
      const { life, number: version, task } = present(this.#one(among), "there are some");
      const question = { name: life.name, version, texts: [textOf(this.#random)] };
      return task === "token-classification" ? classifyTokens(question) : classify(question);
    });
  }

  #chance(share: number): boolean {
    return this.#random.uniform() < share;
  }

  #one<T>(among: readonly T[]): T | undefined {
    return among[this.#random.integer(Math.max(1, among.length))];
  }

  #lives(): readonly ModelLife[] {
    return [...this.#ledger.models.values()].flatMap(({ now }) => (now ? [now.life] : []));
  }

  /** Mostly of a model that is there. */
  #name(): string {
    const there = this.#chance(0.9) ? this.#one(this.#lives())?.name : undefined;
    return there ?? this.#one(names) ?? "";
  }

  #files(): readonly string[] {
    return [...this.#ledger.files.values()].flatMap(({ id, presence }) =>
      presence.now ? [id] : [],
    );
  }

  #upload(): Operation | undefined {
    if (this.#chance(0.1)) return upload(badContent, false);
    if (this.#files().length >= fileCountMax) return undefined;
    return upload(this.#one(contents)?.bytes ?? badContent, true);
  }

  /** Now and then the id of what is another tenant's, which must not be there. */
  #foreign(among: (ledger: Ledger) => ReadonlyMap<string, unknown>): string | undefined {
    if (!this.#chance(foreignShare)) return undefined;
    return this.#one(this.#others.flatMap((ledger) => [...among(ledger).keys()]));
  }

  #onFile(make: (id: string) => Operation): Operation | undefined {
    const ids = this.#chance(0.9) ? this.#files() : [...this.#ledger.files.keys()];
    const id = this.#foreign(({ files }) => files) ?? this.#one(ids);
    return id === undefined ? undefined : make(id);
  }

  #create(): Operation | undefined {
    const taken = new Set(this.#lives().map(({ name }) => name));
    const free = names.filter((name) => !taken.has(name));
    const name = this.#one(this.#chance(0.9) ? free : names);
    if (name === undefined) return undefined;
    const task = this.#one(taskNames) ?? defaultTask;
    const foreign = this.#foreign(({ files }) => files);
    if (foreign !== undefined) return createModel({ name, file: foreign, labels: [], task });
    const file = this.#one(this.#files());
    if (file === undefined || this.#chance(0.3))
      return createModel({ name, file: undefined, labels: ["x-a", "x-b"], task });
    const { bytes } = this.#ledger.files.get(file) ?? { bytes: badContent };
    return createModel({ name, file, ...(contentOf(bytes) ?? { labels: [], task }) });
  }

  #derive(): Operation {
    const ids = names.slice(-2).slice(0, 1 + this.#random.integer(2));
    return derive(this.#name(), ids, this.#random.integer(seedCount));
  }

  /** Models whose job is under way go most often. */
  #delete(): Operation | undefined {
    const lives = this.#lives();
    const jobs = this.#open();
    const busy = lives.filter((life) => jobs.some(({ targets }) => targets.has(life)));
    const name = this.#one(this.#chance(0.5) && busy.length > 0 ? busy : lives)?.name;
    return name === undefined ? undefined : deleteModel(name);
  }

  #onVersion(make: (name: string, number: number) => Operation): Operation | undefined {
    const life = this.#one(this.#lives());
    if (life === undefined) return undefined;
    const numbers = [...life.versions.keys(), life.highest + 1];
    return make(life.name, this.#one(numbers) ?? 1);
  }

  #serve(): Operation | undefined {
    return this.#onVersion(serve);
  }

  /** Jobs that have not ended. */
  #open(): readonly JobLife[] {
    return [...this.#ledger.jobs.values()].filter(({ status }) => !isFinal(status.now));
  }

  #train(): Operation | undefined {
    const file = this.#foreign(({ files }) => files) ?? this.#one(this.#files());
    if (file === undefined || this.#open().length >= waitingJobCountMax) return undefined;
    const model = this.#chance(0.15) ? baseName : this.#pupil(file);
    const seed = this.#random.integer(seedCount);
    const epochCount = 1 + this.#random.integer(epochCountMax);
    return createJob({ model, file, seed, epochCount, adapter: this.#adapter() });
  }

  /** Mostly a model of the file's task. */
  #pupil(file: string): string {
    const task = contentOf(this.#ledger.files.get(file)?.bytes ?? badContent)?.task;
    const able = this.#lives().filter(({ name }) => this.#taskOf(name) === task);
    return (this.#chance(0.9) ? this.#one(able)?.name : undefined) ?? this.#name();
  }

  #taskOf(name: string): TaskName | undefined {
    return this.#ledger.models.get(name)?.now?.task;
  }

  #adapter(): AskedAdapter | undefined {
    if (this.#chance(0.3)) return undefined;
    const layers = this.#chance(0.3) ? "all" : "upper";
    const rank = 1 + this.#random.integer(rankMax);
    return { adapter: this.#chance(0.5) ? "lora" : "bottleneck", rank, layers };
  }

  #onJob(make: (id: string) => Operation, isOpen = false): Operation | undefined {
    const jobs = isOpen ? this.#open() : [...this.#ledger.jobs.values()];
    const id = this.#foreign((ledger) => ledger.jobs) ?? this.#one(jobs)?.id;
    return id === undefined ? undefined : make(id);
  }

  #question() {
    const life = this.#one(this.#lives());
    const numbers = [...(life?.versions.keys() ?? [])];
    const version = this.#chance(0.25) ? this.#one(numbers) : undefined;
    const texts = Array.from({ length: 1 + this.#random.integer(3) }, () => textOf(this.#random));
    return { name: version === undefined ? this.#name() : (life?.name ?? ""), version, texts };
  }

  #ask(): Operation {
    const question = this.#question();
    const isOfTokens = this.#taskOf(question.name) === "token-classification";
    return isOfTokens === this.#chance(0.95) ? classifyTokens(question) : classify(question);
  }
}
