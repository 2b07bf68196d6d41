/**
 * The console at `/`: paste a text, choose a model, see its labels. It is one self-contained
 * document that asks nothing of other hosts; its policy allows its own script and style by digest,
 * no others.
 */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { consoleStyle } from "./console-style.ts";

/** The build bundles `browser/console-script.ts` with all that it imports into this file. */
const consoleScript = readFileSync(new URL("./console-script.js", import.meta.url), "utf8");

const policy = [
  "default-src 'none'",
  `script-src '${sourceHash(consoleScript)}'`,
  `style-src '${sourceHash(consoleStyle)}'`,
  "connect-src 'self'",
  "img-src data:",
  "base-uri 'none'",
  "form-action 'none'",
].join("; ");

const document = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="content-security-policy" content="${policy}">
<meta name="referrer" content="no-referrer">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Strata</title>
<link rel="icon" href="data:,">
<style>${consoleStyle}</style>
</head>
<body>
<header>
<h1>Strata</h1>
<p class="quiet">Custom language models from one engine. Paste a text and let a model label it, or
find entities in it.</p>
</header>
<main>
<noscript><p class="bad">This page needs JavaScript; the API works without it.</p></noscript>
<form id="key-card" class="card" hidden>
<label for="key">API key</label>
<input id="key" type="password" autocomplete="off" spellcheck="false" required
 aria-describedby="key-note key-fault">
<p class="bad" id="key-fault" role="alert" hidden></p>
<p class="quiet" id="key-note">It is in the file "api-key" of the server's home folder, whose
path the server printed when it started, or it is the key that the server was given. The page keeps
it in this tab alone.</p>
<button type="submit">Use this key</button>
</form>
<form id="form" class="card" hidden>
<label for="model">Model</label>
<select id="model"></select>
<p class="quiet" id="none" hidden>There is no custom model yet. Create one with
"strata create" or "strata train".</p>
<label for="text">Text</label>
<textarea id="text" required placeholder="Paste a text here"></textarea>
<div class="row"><button id="go" type="submit">Ask</button>
<span class="quiet">or Ctrl + Enter</span></div>
</form>
<div aria-live="polite">
<p id="fault" class="card bad" hidden></p>
<section id="result" class="card" aria-labelledby="answer" hidden>
<h2 id="answer"></h2>
<p id="source" class="quiet"></p>
<p id="cut" class="bad" hidden>The text is longer than the model reads: its end was cut off.</p>
<p id="marked" class="marked" hidden></p>
<ul id="scores" class="scores"></ul>
<p id="timings" class="quiet"></p>
</section>
</div>
<section id="versions-card" class="card" aria-labelledby="versions-title" hidden>
<h2 id="versions-title">Versions</h2>
<ul id="versions"></ul>
</section>
</main>
<script>${consoleScript}</script>
</body>
</html>
`;

export const consoleDocument = {
  type: "text/html; charset=utf-8",
  body: document,
  // A document cannot say of itself who may frame it.
  policy: `${policy}; frame-ancestors 'none'`,
} as const;

/** What a browser compares the text of an inline element with (CSP level 3, section 8.3). */
function sourceHash(text: string): string {
  return `sha256-${createHash("sha256").update(text).digest("base64")}`;
}
