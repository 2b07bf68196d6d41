import { examineRuntime } from "../conformance.ts";
import { ReferenceRuntime } from "./reference.ts";

examineRuntime("the reference runtime", async () => new ReferenceRuntime(), 1e-5);
