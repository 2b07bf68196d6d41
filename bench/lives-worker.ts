/** A thread of the claim `lives`: runs the seeds that it is given, one after another. */
import { parentPort } from "node:worker_threads";
import { present } from "../src/foundation/assert.ts";
import { plants } from "../test/lives/planted.ts";
import { simulate } from "../test/lives/simulation.ts";

/** A run that is asked for. */
export interface AskedRun {
  readonly seed: number;
  readonly operationCount: number;
  /** The name of a planted fault; undefined runs the product as it is. */
  readonly plant: string | undefined;
}

const port = present(parentPort, "This module runs in a worker thread");

port.on("message", ({ plant: name, ...run }: AskedRun) => {
  const plant = plants.find((known) => known.name === name);
  void simulate({ ...run, ...(plant !== undefined && { plant }) }).then((report) =>
    port.postMessage(report),
  );
});
