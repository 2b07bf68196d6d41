/** The names by which files call the text and its label, alike in every format. */
import { visible } from "../../foundation/visible.ts";

/** Names that a message tells, and the characters of each. */
const [shownNameCountMax, shownNameLengthMax] = [8, 40];

type Role = "text" | "label";

const roles: ReadonlyMap<string, Role> = new Map([
  ...(["text", "prompt", "utterance", "sentence", "query", "input"] as const).map(
    (name) => [name, "text"] as const,
  ),
  ...(["label", "category", "class", "intent", "completion", "target"] as const).map(
    (name) => [name, "label"] as const,
  ),
]);

/** What a column of this name holds, whatever its case and the white space around it. */
export function roleOf(name: string): Role | undefined {
  return roles.get(name) ?? roles.get(name.trim().toLowerCase());
}

function listOf(role: Role): string {
  const names = [...roles].flatMap(([name, known]) => (known === role ? [`"${name}"`] : []));
  return names.join(", ");
}

/** The first names of a file's columns or fields, for messages. */
export function shownNames(names: readonly string[]): string {
  const shown = names.slice(0, shownNameCountMax).map((name) => {
    const begin = name.slice(0, shownNameLengthMax);
    return `"${visible(begin)}${begin === name ? "" : "…"}"`;
  });
  const rest = names.length - shown.length;
  return `${shown.join(", ")}${rest > 0 ? ` and ${rest} more` : ""}`;
}

/** The names of each role for messages, the usual one first. */
export const roleNames: Readonly<Record<Role, string>> = {
  text: listOf("text"),
  label: listOf("label"),
};
