/** A thread that runs tasks of one search, one at a time. Owns its judge. */
import { parentPort, workerData } from "node:worker_threads";
import { present } from "../../foundation/assert.ts";
import { Judge, type Planning } from "../../placement/judge.ts";
import { runSearchTask, type SearchTask } from "../../placement/search/search-tasks.ts";
import type { SearchReply } from "./search-reply.ts";

const port = present(parentPort, "This module runs in a worker thread");
const judge = new Judge(workerData as Planning); // given by SearchPool

port.on("message", (task: SearchTask) => {
  port.postMessage(replyTo(task));
});

function replyTo(task: SearchTask): SearchReply {
  try {
    return { result: runSearchTask(judge, task) };
  } catch (error) {
    return { error: error instanceof Error ? error.message : String(error) };
  }
}
