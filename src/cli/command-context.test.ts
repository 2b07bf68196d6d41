/** Checks where commands look for a server. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { serverUrlOf } from "./command-context.ts";

test("STRATA_URL names the server; unset or empty, it is this machine's", () => {
  const urls = [{ STRATA_URL: "http://far:1" }, {}, { STRATA_URL: "" }].map((environment) =>
    serverUrlOf({ environment }),
  );
  assert.deepEqual(urls, ["http://far:1", "http://127.0.0.1:7860", "http://127.0.0.1:7860"]);
});
