/**
 * The page's script, for browsers. It keeps the API key in this tab alone: a key in the address
 * (`#key=…`) is taken over and removed from the address, any other is asked for once.
 */
import { pageWords } from "./page-words.ts";

export const pageScript = String.raw`
"use strict";
const byId = (id) => document.getElementById(id);
const keyName = "strata-api-key";
const timingNames = {
  "openai-processing-ms": "total", "x-strata-tokenize-ms": "tokenizing",
  "x-strata-queue-ms": "queue", "x-strata-run-ms": "model",
};
${pageWords}

function takeKeyFromAddress() {
  const given = new URLSearchParams(location.hash.slice(1)).get("key");
  if (!given) return;
  sessionStorage.setItem(keyName, given);
  history.replaceState(null, "", location.pathname);
}

class Failure extends Error {
  constructor(message, status) {
    super(message);
    this.status = status;
  }
}

async function call(path, body) {
  const key = sessionStorage.getItem(keyName) || "";
  if (keyFault(key) !== "") throw new Failure(keyFault(key), 401);
  const headers = { authorization: "Bearer " + key };
  const options = { headers };
  if (body !== undefined) {
    options.method = "POST";
    options.body = JSON.stringify(body);
    headers["content-type"] = "application/json";
  }
  const response = await fetch(path, options).catch(() => {
    throw new Failure("The server cannot be reached. Is it still running?", 0);
  });
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) {
    const { status } = response;
    if (status === 401) throw new Failure("This key is not accepted.", status);
    const message = answer.error && faultWords(answer.error);
    throw new Failure(message || "The server answered with status " + status, status);
  }
  return { answer, headers: response.headers };
}

/** Hides what another key may not show. */
function askForKey(fault) {
  for (const id of ["form", "fault", "result", "versions-card"]) byId(id).hidden = true;
  byId("key-card").hidden = false;
  byId("key-fault").hidden = fault === "";
  byId("key-fault").textContent = fault;
  byId("key").focus();
}

function tell(failure) {
  if (failure.status === 401) return askForKey(failure.message);
  byId("result").hidden = true;
  byId("fault").hidden = false;
  byId("fault").textContent = failure.message;
}

async function loadModels() {
  if (sessionStorage.getItem(keyName) === null) return askForKey("");
  const names = await modelNames();
  byId("model").replaceChildren(...names.map((name) => new Option(name, name)));
  const wasAsked = !byId("key-card").hidden;
  byId("key-card").hidden = true;
  byId("fault").hidden = true;
  byId("form").hidden = false;
  if (wasAsked) byId("text").focus();
  byId("none").hidden = names.length > 0;
  byId("go").disabled = names.length === 0;
  await showVersions();
}

/** Of all models that can classify, page by page. */
async function modelNames() {
  const names = [];
  for (let query = ""; ;) {
    const { answer } = await call("/v1/models" + query);
    names.push(...answer.data.filter(canClassify).map((model) => model.id));
    if (!answer.has_more) return names;
    query = "?after=" + encodeURIComponent(answer.last_id);
  }
}

function versionRow(version) {
  const { kind, metrics } = version;
  const item = document.createElement("li");
  const name = document.createElement("strong");
  name.textContent = "Version " + version.version;
  const figure = metrics.devAccuracy === undefined
    ? "no figure on held-out texts"
    : (100 * metrics.devAccuracy).toFixed(1) + " % right on " +
      (metrics.devCount === undefined ? "" : metrics.devCount + " ") + "held-out texts";
  item.append(name, servingWords(version) + ": " + kind + ", " + figure + ".");
  item.append(verdictWords(version));
  return item;
}

/** What the chosen model's versions reached, and why one is served. */
async function showVersions() {
  const model = byId("model").value;
  byId("versions-card").hidden = true;
  if (model === "") return;
  const { answer } = await call("/v1/models/" + encodeURIComponent(model) + "/versions");
  if (byId("model").value !== model) return;
  byId("versions").replaceChildren(...answer.data.map(versionRow).reverse());
  byId("versions-card").hidden = false;
}

/** What is said of one model does not stay under the name of another. */
function changeModel() {
  byId("result").hidden = true;
  byId("fault").hidden = true;
  showVersions().catch(tell);
}

function canClassify(model) {
  return model.strata.kind === "vplm" && model.strata.version !== null;
}

function scoreRow(entry) {
  const item = document.createElement("li");
  const name = document.createElement("span");
  name.textContent = entry.label;
  const track = document.createElement("div");
  track.className = "track";
  track.ariaHidden = "true";
  const fill = document.createElement("div");
  fill.className = "fill";
  fill.style.width = (100 * entry.score).toFixed(1) + "%";
  track.append(fill);
  const percent = document.createElement("span");
  percent.className = "percent";
  percent.textContent = (100 * entry.score).toFixed(1) + " %";
  item.append(name, track, percent);
  return item;
}

function timingsOf(headers, roundTripMs) {
  const parts = [];
  for (const [header, name] of Object.entries(timingNames)) {
    const value = headers.get(header);
    if (value !== null) parts.push(name + " " + Math.round(Number(value)) + " ms");
  }
  return "Server: " + (parts.join(" · ") || "no timings") + ". Round trip " +
    Math.round(roundTripMs) + " ms.";
}

function show(answer, timings) {
  const scores = [...answer.data[0].scores].sort((a, b) => b.score - a.score);
  byId("cut").hidden = answer.data[0].truncated !== true;
  byId("fault").hidden = true;
  byId("result").hidden = false;
  byId("answer").textContent = scores[0].label;
  byId("source").textContent = answer.model + ", version " + answer.version;
  byId("scores").replaceChildren(...scores.map(scoreRow));
  byId("timings").textContent = timings;
}

async function classify(event) {
  event.preventDefault();
  // The keyboard submits beside the button: a slower first answer would replace the second.
  if (byId("go").disabled) return;
  byId("go").disabled = true;
  try {
    const started = performance.now();
    const body = { model: byId("model").value, input: byId("text").value };
    const { answer, headers } = await call("/v1/classify", body);
    show(answer, timingsOf(headers, performance.now() - started));
  } catch (failure) {
    tell(failure);
  }
  byId("go").disabled = false;
  // A button that is disabled has lost the keyboard's focus.
  if (document.activeElement === document.body) byId("go").focus({ preventScroll: true });
}

async function useKey(event) {
  event.preventDefault();
  sessionStorage.setItem(keyName, byId("key").value.trim());
  byId("key").value = "";
  byId("key-fault").hidden = true;
  await loadModels().catch(tell);
}

takeKeyFromAddress();
byId("form").addEventListener("submit", classify);
byId("model").addEventListener("change", changeModel);
byId("key-card").addEventListener("submit", useKey);
byId("text").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) byId("form").requestSubmit();
});
loadModels().catch(tell);
`;
