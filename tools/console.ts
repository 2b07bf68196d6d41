/**
 * Bundles the script of the console at `/`, with all that it imports, into one file beside the
 * compiled document, which carries it inline. `--watch` goes on doing so until it is stopped.
 */
import { resolve } from "node:path";
import { type BuildOptions, build, context } from "esbuild";

const root = resolve(import.meta.dirname, "../..");

const options: BuildOptions = {
  entryPoints: [resolve(root, "src/web/browser/console-script.ts")],
  outfile: resolve(root, "dist/src/web/console-script.js"),
  bundle: true,
  format: "iife",
  platform: "browser",
  target: "es2022",
  // Whoever looks at the console's source can read it.
  minify: false,
  legalComments: "none",
  logLevel: "warning",
};

async function main(): Promise<void> {
  if (!process.argv.includes("--watch")) {
    await build(options);
    return;
  }
  const bundler = await context(options);
  await bundler.watch();
}

await main();
