/** The tenants of a run: each has a key, and names of models that the other one uses too. */
import { type Caller, operator } from "../../src/entities/caller.ts";
import { type Authenticator, tokenOf } from "../../src/http/authentication.ts";

interface KeyHolder {
  readonly caller: Caller;
  readonly key: string;
}

const other: Caller = { tenant: "tenant-other", keyId: "other", scopes: ["all"] };

export const keyHolders: readonly KeyHolder[] = [
  { caller: operator, key: "lives" },
  { caller: other, key: "other-lives" },
];

/** It knows the keys of all tenants. */
export const authenticator: Authenticator = {
  async authenticate(header) {
    const token = tokenOf(header);
    return keyHolders.find(({ key }) => key === token)?.caller;
  },
};
