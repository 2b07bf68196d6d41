/** `/healthz`, `/readyz`, `/metrics`. */
import type { healthRoutes } from "../../contract/health.ts";
import type { WireError } from "../../contract/wire-error.ts";
import { type HandlersOf, Reply } from "../operation.ts";
import type { Services } from "../services.ts";

export function healthHandlers(
  services: Services,
  state: { readonly isDraining: boolean },
): HandlersOf<typeof healthRoutes> {
  return {
    health: () => Promise.resolve({ status: "ok", version: services.version }),
    readiness: async () => {
      if (state.isDraining) return stopping();
      await services.store.catalog.bases.count();
      return { status: "ready" };
    },
    metrics: async () =>
      new Reply(200, "text/plain; version=0.0.4; charset=utf-8", await services.metricsText()),
  };
}

/** The one 503: probes understand it, and no client of the models asks here. */
function stopping(): Reply {
  const body: WireError = {
    error: { message: "The server is stopping", type: "server_error", param: null, code: null },
  };
  return new Reply(503, "application/json", JSON.stringify(body));
}
