/** The part of the page's script that words things: plain functions, which know no document. */
export const pageWords = String.raw`
/** What a header cannot carry would look like a server that is away; empty when there is none. */
function keyFault(key) {
  if (/^[\x21-\x7e]+$/.test(key)) return "";
  return "Cannot use this key: expected printable ASCII characters without spaces";
}

/** The API blames its field; the page has that field under another name. */
function faultWords({ message, param }) {
  return param === "input" && message ? message.replace('"input"', '"Text"') : message;
}

function servingWords({ verdict, is_served: isServed }) {
  if (!isServed) return "";
  return verdict && verdict.startsWith("Not served") ? " (serves by alias)" : " (served)";
}

/** A verdict is of the day of publishing: another version may serve since. */
function verdictWords({ verdict }) {
  return verdict ? " When published: " + verdict : "";
}
`;
