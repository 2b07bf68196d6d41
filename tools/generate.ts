/**
 * Writes the documents that state what the code states: `node dist/tools/generate.js`. With
 * `--check` it writes nothing and fails when a document differs from the code.
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { openApiDocument } from "../src/contract/openapi.ts";
import { errorCodes } from "../src/foundation/errors.ts";

interface GeneratedFile {
  /** Relative to the repository's root. */
  readonly path: string;
  readonly content: () => string;
}

const files: readonly GeneratedFile[] = [
  { path: "docs/errors.md", content: errorPage },
  { path: "docs/openapi.json", content: openApi },
];

function main(): void {
  const isCheck = process.argv.includes("--check");
  for (const { path, content } of files) {
    const expected = content();
    const current = existsSync(path) ? readFileSync(path, "utf8") : "";
    if (current === expected) continue;
    if (isCheck) {
      console.error(`${path} differs from the code: run "npm run generate"`);
      process.exitCode = 1;
    } else {
      writeFileSync(path, expected);
      console.log(`Wrote ${path}`);
    }
  }
}

function openApi(): string {
  const manifest: unknown = JSON.parse(readFileSync("package.json", "utf8"));
  const { version } = manifest as { readonly version: string }; // Our own package.json.
  return `${JSON.stringify(openApiDocument(version), null, 2)}\n`;
}

function errorPage(): string {
  const rows = Object.entries(errorCodes).map(
    ([code, { httpStatus, retryable, cliExit, summary }]) =>
      `| \`${code}\` | ${httpStatus} | ${retryable ? "yes" : "no"} | ${cliExit} | ${summary} |`,
  );
  return [
    "# Errors",
    "",
    "Generated from `src/foundation/errors.ts` by `npm run generate`.",
    "",
    "Every failure that a user can meet has one of these codes. Retryable means that the same call",
    "may succeed later without a change; the answer may say when, in `retry-after`.",
    "",
    "| code | HTTP status | retryable | exit status | meaning |",
    "| --- | --- | --- | --- | --- |",
    ...rows,
    "",
  ].join("\n");
}

main();
