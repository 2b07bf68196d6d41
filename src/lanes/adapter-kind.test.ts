/** All kinds of adapters sit their exam here, where graphs can be run. */
import { adapterKinds } from "../models/adapters/adapters.ts";
import { examineAdapterKind } from "./exam-adapter-kind.ts";

for (const kind of Object.values(adapterKinds)) examineAdapterKind(kind);
