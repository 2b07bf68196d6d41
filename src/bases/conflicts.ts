/** What keeps a base from a home, though its bytes are whole: names and models that are there. */
import type { BaseModel } from "../entities/base-model.ts";
import { StrataError } from "../foundation/errors.ts";

/** What a home knows that may speak against a base of some name. */
export interface HomeFacts {
  /** Whether a vPLM, of any tenant, has the name. */
  readonly hasModel: boolean;
  /** The digest under which a base of the name was served; undefined when none ever was. */
  readonly digest: string | undefined;
  /** A vPLM that was fitted to that base; undefined when there is none. */
  readonly user: string | undefined;
}

/** Why the home cannot take the base, whoever asks: a server that starts, or a check before it. */
export function conflictOf(
  base: Pick<BaseModel, "id" | "digest" | "source">,
  { hasModel, digest, user }: HomeFacts,
): StrataError | undefined {
  if (hasModel) return nameTaken(base.id);
  if (digest === undefined || digest === base.digest || user === undefined) return undefined;
  // vPLMs were fitted to certain bytes: another base of the name must not answer for them.
  return new StrataError(
    "CONFLICT",
    `Cannot serve base model "${base.id}": the cache holds ${base.digest} from ${base.source}, ` +
      `but model "${user}" was made for ${digest}; pull that again, or delete the models that ` +
      "stand on it",
  );
}

/** Bases and vPLMs share one space of names; the vPLM was there first and keeps its callers. */
export function nameTaken(id: string): StrataError {
  return new StrataError(
    "ALREADY_EXISTS",
    `Cannot take base model "${id}": there is a model of this name; pull the base under another ` +
      "name: strata base pull NAME --source SOURCE",
  );
}
