/** Creations, derivations, deletions and lists of models and versions, and moves of the alias. */
import type { TaskName } from "../../src/foundation/kind-names.ts";
import type { Change, ModelState } from "./ledger-entries.ts";
import {
  type Answer,
  bodyOf,
  hadRotted,
  type Judgement,
  type Operation,
  type Wire,
} from "./operation.ts";
import { idsOf } from "./file-operations.ts";
import { baseName } from "./tiny-base.ts";

type Fault = Operation["fault"];

function operation(
  what: string,
  wire: Wire,
  rest: { readonly may?: Operation["may"]; readonly fault: Fault },
): Operation {
  return {
    what,
    wire,
    may: rest.may ?? (() => false),
    fault: rest.fault,
  };
}

/** States that the name may have had while the request was under way. */
function states(name: string, { ledger, from }: Judgement): readonly ModelState[] {
  return ledger.statesOf(name, from);
}

function mayBeAbsent(name: string, judgement: Judgement): boolean {
  return states(name, judgement).includes(undefined);
}

function mayBeThere(name: string, judgement: Judgement): boolean {
  return states(name, judgement).some(
    (state) => state !== undefined && !hadRotted(state, judgement),
  );
}

function isWithoutVersion(name: string, judgement: Judgement): boolean {
  return states(name, judgement).some((state) => state !== undefined && state.served === undefined);
}

function mayVersionBe(
  name: string,
  { number, isThere }: { readonly number: number; readonly isThere: boolean },
  judgement: Judgement,
): boolean {
  return states(name, judgement).some((state) => {
    const presence = state?.life.versions.get(number)?.presence;
    const possible = presence?.possible(judgement.from, judgement.step) ?? [false];
    return possible.includes(isThere);
  });
}

function done({ changes }: Judgement, isIt: (change: Change) => boolean): string | undefined {
  return changes.some(isIt) ? undefined : "it was acknowledged and is not committed";
}

/** Undefined when the refusal says what may be so. */
function told(answer: Answer, isTrue: boolean): string | undefined {
  return isTrue ? undefined : `it is not so: ${answer.status} ${answer.message}`;
}

export interface Creation {
  readonly name: string;
  /** The file to fit the first version on; without one there is none yet. */
  readonly file: string | undefined;
  readonly labels: readonly string[];
  readonly task: TaskName;
}

export function createModel({ name, file, labels, task }: Creation): Operation {
  const json = {
    id: name,
    base: baseName,
    ...(file === undefined ? { labels, task } : { training_file: file }),
  };
  return operation(
    `create ${name} from ${file ?? "labels"}`,
    { method: "POST", path: "/v1/models", json },
    {
      may: (change) =>
        (change.kind === "model added" && change.name === name) ||
        (change.kind === "version added" && change.name === name && file !== undefined),
      fault: (answer, judgement) => {
        const { status, body } = answer;
        if (status === 409) return told(answer, mayBeThere(name, judgement));
        if (status === 404) return told(answer, isFileGone(file, judgement));
        if (status !== 200) return "expected the model, or why there is none";
        const { strata } = bodyOf<WireModel>({ body });
        if (strata.task !== task) return `it is for ${strata.task}`;
        if (strata.labels.toSorted().join() !== labels.toSorted().join())
          return `it has the labels ${strata.labels.join()} of another`;
        return done(judgement, (change) => change.kind === "model added" && change.name === name);
      },
    },
  );
}

export function isFileGone(id: string | undefined, { ledger, from, step }: Judgement): boolean {
  if (id === undefined) return false;
  return ledger.files.get(id)?.presence.possible(from, step).includes(false) ?? true;
}

export function derive(source: string, ids: readonly string[], seed: number): Operation {
  const isNew = (name: string): boolean => ids.includes(name);
  return operation(
    `derive ${ids.join()} from ${source}`,
    { method: "POST", path: `/v1/models/${source}/derive`, json: { ids, noise: 0.5, seed } },
    {
      may: (change) =>
        (change.kind === "model added" || change.kind === "version added") && isNew(change.name),
      fault: (answer, judgement) => {
        const { status, code } = answer;
        if (code === "already_exists")
          return told(
            answer,
            ids.some((id) => mayBeThere(id, judgement)),
          );
        if (status === 409) return told(answer, isWithoutVersion(source, judgement));
        if (status === 404) return told(answer, mayBeAbsent(source, judgement));
        if (status !== 200) return "expected the models, or why there are none";
        const known = new Set(states(source, judgement).map((state) => state?.labels));
        for (const id of ids)
          if (
            !judgement.changes.some(
              (change) =>
                change.kind === "model added" &&
                change.name === id &&
                known.has(String(change.row["labels"])),
            )
          )
            return `"${id}" is not committed with labels that its source had`;
        return undefined;
      },
    },
  );
}

export function serve(name: string, number: number): Operation {
  return operation(
    `serve ${name}@${number}`,
    { method: "POST", path: `/v1/models/${name}/serve`, json: { version: number } },
    {
      may: (change) =>
        change.kind === "alias moved" && change.name === name && change.number === number,
      fault: (answer, judgement) => {
        if (answer.status === 404)
          return told(
            answer,
            mayBeAbsent(name, judgement) ||
              mayVersionBe(name, { number, isThere: false }, judgement),
          );
        if (answer.status !== 200) return "expected the model, or that it is not there";
        return done(judgement, (change) => change.kind === "alias moved");
      },
    },
  );
}

export function deleteVersion(name: string, number: number): Operation {
  return operation(
    `delete ${name}@${number}`,
    { method: "DELETE", path: `/v1/models/${name}/versions/${number}` },
    {
      may: (change) =>
        change.kind === "version removed" && change.name === name && change.number === number,
      fault: (answer, judgement) => {
        if (answer.status === 404)
          return told(
            answer,
            mayBeAbsent(name, judgement) ||
              mayVersionBe(name, { number, isThere: false }, judgement),
          );
        if (answer.status === 409)
          return told(
            answer,
            states(name, judgement).some((state) => state?.served === number),
          );
        if (answer.status !== 200) return "expected its deletion, or that it is not there";
        return done(judgement, (change) => change.kind === "version removed");
      },
    },
  );
}

export function deleteModel(name: string): Operation {
  return operation(
    `delete ${name}`,
    { method: "DELETE", path: `/v1/models/${name}` },
    {
      may: (change) => change.kind === "model removed" && change.name === name,
      fault: (answer, judgement) => {
        if (answer.status === 404) return told(answer, mayBeAbsent(name, judgement));
        if (answer.status !== 200) return "expected its deletion, or that it is not there";
        return done(judgement, (change) => change.kind === "model removed");
      },
    },
  );
}

/** Whether one model has been there all the time, with a row that can be read. */
function isSteady(among: readonly ModelState[]): boolean {
  const isSound = among.every((state) => state?.rotStep === undefined);
  return isSound && new Set(among.map((state) => state?.life)).size === 1;
}

interface WireModel {
  readonly strata: {
    readonly task: string;
    readonly labels: readonly string[];
    readonly version: number | null;
  };
}

export function retrieveModel(name: string): Operation {
  return operation(
    `get ${name}`,
    { path: `/v1/models/${name}` },
    {
      fault: (answer, judgement) => {
        if (answer.status === 404) return told(answer, mayBeAbsent(name, judgement));
        if (answer.status !== 200) return "expected the model, or that it is not there";
        const { task, labels, version } = bodyOf<WireModel>(answer).strata;
        const isKnown = states(name, judgement).some(
          (state) =>
            state?.task === task &&
            !hadRotted(state, judgement) &&
            state.labels === JSON.stringify(labels) &&
            (state.served ?? null) === version,
        );
        return isKnown ? undefined : `it never served version ${version} with ${labels.join()}`;
      },
    },
  );
}

export function listModels(): Operation {
  return operation(
    "list models",
    { path: "/v1/models?limit=1000" },
    {
      fault: (answer, judgement) => {
        const listed = idsOf(answer);
        if (listed === undefined) return "expected a list";
        for (const name of listed)
          if (name !== baseName && !mayBeThere(name, judgement))
            return `"${name}" is listed and is not there`;
        for (const name of judgement.ledger.models.keys())
          if (!mayBeAbsent(name, judgement) && !listed.includes(name))
            // One that was created anew in the midst of the list stands at another place of it.
            if (isSteady(states(name, judgement))) return `"${name}" is there and is not listed`;
        return undefined;
      },
    },
  );
}

export function listVersions(name: string): Operation {
  return operation(
    `list versions of ${name}`,
    { path: `/v1/models/${name}/versions` },
    {
      fault: (answer, judgement) => {
        if (answer.status === 404) return told(answer, mayBeAbsent(name, judgement));
        if (answer.status !== 200) return "expected a list";
        const { data } = bodyOf<{ readonly data: { readonly version: number }[] }>(answer);
        const listed = data.map(({ version }) => version);
        const lives = new Set(states(name, judgement).flatMap((state) => state?.life ?? []));
        const { from, step } = judgement;
        const isRight = [...lives].some((life) => {
          const isPossible = (number: number): boolean => {
            const version = life.versions.get(number);
            if (version === undefined || hadRotted(version, judgement)) return false;
            return version.presence.possible(from, step).includes(true);
          };
          const missing = [...life.versions.values()].filter(
            ({ number, presence, rotStep }) =>
              rotStep === undefined &&
              !presence.possible(from, step).includes(false) &&
              !listed.includes(number),
          );
          return listed.every(isPossible) && missing.length === 0;
        });
        return isRight ? undefined : `it never had just the versions ${listed.join()}`;
      },
    },
  );
}
