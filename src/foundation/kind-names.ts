/**
 * The names of all that comes in kinds, for what knows no kinds: the wire, the catalog and faces.
 * What is asked of a name stands with its kind, in `tasks/`, `models/families/` and
 * `models/adapters/`; what has to differ by name elsewhere is a table over these.
 */
export const taskNames = ["text-classification", "token-classification"] as const;

/** What a model answers: one label for a text, or spans of it with their labels. */
export type TaskName = (typeof taskNames)[number];

export const familyNames = ["bert", "mpnet"] as const;

/** What kind of encoder a base is. */
export type FamilyName = (typeof familyNames)[number];

export const adapterKindNames = ["bottleneck", "lora"] as const;

/** What is learned beside a frozen base; `models/adapter-kind.ts` says what each has to do. */
export type AdapterKindName = (typeof adapterKindNames)[number];

export const adaptedLayersNames = ["upper", "all"] as const;

/** Which layers of the base an adapter acts in: the upper part's, or all. */
export type AdaptedLayers = (typeof adaptedLayersNames)[number];

/** What a job learns that names nothing else. */
export const defaultAdapter = { kind: "bottleneck", layers: "upper" } as const;
