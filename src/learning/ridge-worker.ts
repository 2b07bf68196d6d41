/** The thread in which one ridge problem is solved; it ends with its answer. */
import { parentPort, workerData } from "node:worker_threads";
import { present } from "../foundation/assert.ts";
import { type RidgeProblem, solveRidge } from "./ridge.ts";

const port = present(parentPort, "This module runs in a worker thread");
port.postMessage(solveRidge(workerData as RidgeProblem)); // given by `solveInThread`
