/** The memory driver sits the exam of the stores. */
import { examineStore } from "../conformance.ts";
import { createMemoryStore } from "./memory-store.ts";

examineStore("the memory driver", async () => createMemoryStore());
