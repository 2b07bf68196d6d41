/**
 * Whether a version can run on a base as it is open: told from the version's row, before its
 * weights are read or anything is multiplied. Its precision is not asked for: the frozen layers of
 * either precision give nearly the same states, and a server that is started with the other one
 * shall answer.
 */
import type { EncoderConfig } from "../entities/base-model.ts";
import type { BaseForm, Version } from "../entities/virtual-model.ts";
import { limits } from "../foundation/limits.ts";
import type { ErrorCode } from "../foundation/errors.ts";
import type { AdapterForm } from "./adapter-kind.ts";
import { adapterKinds, allLayers, computes, upperLayers } from "./adapters/adapters.ts";

/** What is open of a base. */
export interface OpenForm {
  readonly config: EncoderConfig;
  readonly form: BaseForm;
  /** Those that its graphs compute. */
  readonly adapters: readonly AdapterForm[];
}

export interface FitFault {
  /** CORRUPT where no base could run the version, CONFLICT where this one cannot. */
  readonly code: ErrorCode & ("CORRUPT" | "CONFLICT");
  readonly state: string;
}

/** Why the version does not fit the base; undefined when it does. */
export function faultOfFit(version: Version, open: OpenForm): FitFault | undefined {
  const { form, domain } = version;
  if (form !== open.form)
    return conflict(`it was fitted on the ${form} form, and the base is open as ${open.form}`);
  if (domain !== undefined) return conflict(`it reads the domain "${domain}", which is not loaded`);
  return faultOfAdapter(version, open);
}

function faultOfAdapter(
  { adapter }: Version,
  { config, form, adapters }: OpenForm,
): FitFault | undefined {
  if (adapter === undefined) return undefined;
  const { kind, rank, layers } = adapter;
  if (!Object.hasOwn(adapterKinds, kind))
    return corrupt(`its adapter is of the unknown kind "${kind}"`);
  const { adapterRankMax } = limits;
  if (!Number.isInteger(rank) || rank < 1 || rank > adapterRankMax)
    return corrupt(`its adapter's rank is ${rank}, not one of 1 to ${adapterRankMax}`);
  const allowed = form === "dense" ? allLayers(config) : upperLayers(config);
  const isAscending = layers.every((layer, index) => layer > (layers[index - 1] ?? -1));
  const places = `its adapter acts in layers ${layers.join(", ")}`;
  if (layers.length === 0 || !isAscending || !layers.every((layer) => allowed.includes(layer)))
    return corrupt(`${places}, the base has ${allowed.at(0)} to ${allowed.at(-1)}`);
  if (computes(adapters, adapter)) return undefined;
  const computed = adapters.map((form) => `${form.kind} in ${form.layers.join(", ")}`);
  return conflict(`${places} as ${kind}, the base is open for ${computed.join(" and ")}`);
}

function conflict(state: string): FitFault {
  return { code: "CONFLICT", state };
}

function corrupt(state: string): FitFault {
  return { code: "CORRUPT", state };
}
