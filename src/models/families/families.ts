/** The families that Strata knows, by name. */
import { type FamilyName, familyNames } from "../../foundation/kind-names.ts";
import type { Family } from "../family.ts";
import { bert } from "./bert.ts";
import { mpnet } from "./mpnet.ts";

const families: Readonly<Record<FamilyName, Family>> = { bert, mpnet };

export function familyOf({ family }: { readonly family: FamilyName }): Family {
  return families[family];
}

export function isFamily(name: string): name is FamilyName {
  const names: readonly string[] = familyNames;
  return names.includes(name);
}
