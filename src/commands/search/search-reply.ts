/** What a thread of the search answers to a task. */
import type { TaskResult } from "../../placement/search/search-tasks.ts";

export type SearchReply = { readonly result: TaskResult } | { readonly error: string };
