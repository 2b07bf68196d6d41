/**
 * Who asks. A caller travels in every call, and whatever a call reaches is reached as the caller's
 * tenant; authentication alone makes callers of requests.
 */

/** The owner of models, files and jobs. Drawn names begin with `tenant-`. */
export type Tenant = "operator" | `tenant-${string}`;

/** What a key may do. */
export type Scope = "all";

export interface Caller {
  readonly tenant: Tenant;
  /** Names the key in logs; it is not the key. */
  readonly keyId: string;
  readonly scopes: readonly Scope[];
}

/** The one who runs the server, and who owned all before there were tenants. */
export const operator: Caller = { tenant: "operator", keyId: "operator", scopes: ["all"] };

/** The caller as which the server itself goes on with what a tenant has asked for. */
export function actingFor(tenant: Tenant): Caller {
  return { tenant, keyId: "server", scopes: ["all"] };
}
