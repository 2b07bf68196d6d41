/** What keeps a base from a home, though its bytes are whole: names and models that are there. */
import { StrataError } from "../foundation/errors.ts";

/** Bases and vPLMs share one space of names; the vPLM was there first and keeps its callers. */
export function nameTaken(id: string): StrataError {
  return new StrataError(
    "ALREADY_EXISTS",
    `Cannot take base model "${id}": there is a model of this name; pull the base under another ` +
      "name: strata base pull NAME --source SOURCE",
  );
}

export interface OtherBytes {
  readonly id: string;
  /** A vPLM that was fitted to what is known. */
  readonly user: string;
  readonly known: string;
  readonly found: string;
}

/** vPLMs were fitted to certain bytes: another base of the same name must not answer for them. */
export function otherBytes({ id, user, known, found }: OtherBytes): StrataError {
  return new StrataError(
    "CONFLICT",
    `Cannot serve base model "${id}": the cache holds ${found}, but model "${user}" was made for ` +
      `${known}; pull that again, or delete the models that stand on it`,
  );
}
