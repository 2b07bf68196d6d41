/**
 * The console's script. It is a caller like any other, through the typed client. The API key stays
 * in this tab: a key in the address (`#key=…`) is taken over and removed from the address, any
 * other is asked for once.
 */
import { type Ask, askOf, type TextAnswer } from "../../client/answers.ts";
import { Client } from "../../client/client.ts";
import type { TextPart } from "../../client/text-parts.ts";
import {
  adapterWords,
  damageWords,
  figureWords,
  percentWords,
  servingWords,
  verdictWords,
} from "../../client/version-words.ts";
import type { ModelVersion } from "../../contract/models.ts";
import { systemClock } from "../../foundation/clock.ts";
import { wrapError } from "../../foundation/errors.ts";
import { entityWords, faultWords, keyFault, timingWords } from "../words.ts";

const keyName = "strata-api-key";

/** The element with this id, which is of this kind. */
function element<Kind extends HTMLElement>(id: string, kind: new () => Kind): Kind {
  const found = document.getElementById(id);
  if (!(found instanceof kind)) throw new Error(`The console has no ${kind.name} "${id}"`);
  return found;
}

const parts = {
  keyForm: element("key-card", HTMLFormElement),
  key: element("key", HTMLInputElement),
  keyFault: element("key-fault", HTMLElement),
  form: element("form", HTMLFormElement),
  model: element("model", HTMLSelectElement),
  none: element("none", HTMLElement),
  text: element("text", HTMLTextAreaElement),
  go: element("go", HTMLButtonElement),
  fault: element("fault", HTMLElement),
  result: element("result", HTMLElement),
  answer: element("answer", HTMLElement),
  source: element("source", HTMLElement),
  cut: element("cut", HTMLElement),
  marked: element("marked", HTMLElement),
  scores: element("scores", HTMLElement),
  timings: element("timings", HTMLElement),
  versionsCard: element("versions-card", HTMLElement),
  versions: element("versions", HTMLElement),
};

/** How the models are asked that can be, by name. */
const asks = new Map<string, Ask>();

/** The headers of the last answer carry its timings. */
let lastHeaders = new Headers();

const client = new Client({
  baseUrl: location.origin,
  apiKey: () => Promise.resolve(sessionStorage.getItem(keyName) ?? ""),
  onHeaders: (headers) => (lastHeaders = headers),
});

function takeKeyFromAddress(): void {
  const given = new URLSearchParams(location.hash.slice(1)).get("key");
  if (given === null || given === "") return;
  sessionStorage.setItem(keyName, given);
  history.replaceState(null, "", location.pathname);
}

/** Hides what another key may not show. */
function askForKey(fault: string): void {
  for (const part of [parts.form, parts.fault, parts.result, parts.versionsCard])
    part.hidden = true;
  parts.keyForm.hidden = false;
  parts.keyFault.hidden = fault === "";
  parts.keyFault.textContent = fault;
  parts.key.focus();
}

function tell(failure: unknown): void {
  const error = wrapError(failure, "INTERNAL", "Cannot go on");
  if (error.code === "UNAUTHENTICATED") return askForKey(faultWords(error));
  parts.result.hidden = true;
  parts.fault.hidden = false;
  parts.fault.textContent = faultWords(error);
}

async function loadModels(): Promise<void> {
  const key = sessionStorage.getItem(keyName);
  const fault = key === null ? "" : keyFault(key);
  if (key === null || fault !== "") return askForKey(fault);
  asks.clear();
  for await (const { id, strata } of client.models())
    if (strata.kind === "vplm" && strata.version !== null) asks.set(id, askOf(strata));
  const names = [...asks.keys()];
  parts.model.replaceChildren(...names.map((name) => new Option(name, name)));
  const wasAsked = !parts.keyForm.hidden;
  parts.keyForm.hidden = true;
  parts.fault.hidden = true;
  parts.form.hidden = false;
  if (wasAsked) parts.text.focus();
  parts.none.hidden = names.length > 0;
  parts.go.disabled = names.length === 0;
  await showVersions();
}

/** What the chosen model's versions reached, and why one is served. */
async function showVersions(): Promise<void> {
  const model = parts.model.value;
  parts.versionsCard.hidden = true;
  if (model === "") return;
  const versions = await client.versions(model);
  // Another one may have been chosen in the meantime.
  if (parts.model.value !== model) return;
  const rows = versions.map((version) => versionRow(version, versions));
  parts.versions.replaceChildren(...rows.toReversed());
  parts.versionsCard.hidden = false;
}

function versionRow(version: ModelVersion, versions: readonly ModelVersion[]): HTMLElement {
  const item = document.createElement("li");
  const said = [
    version.kind,
    servingWords(version, versions),
    `adapter: ${adapterWords(version)}`,
    `held out: ${figureWords(version)}`,
    damageWords(version),
    verdictWords(version),
  ];
  const words = said.filter((part) => part !== "").join("; ");
  item.append(created("strong", `Version ${version.version}`), `: ${words}`);
  return item;
}

/** What is said of one model does not stay under the name of another. */
function changeModel(): void {
  parts.result.hidden = true;
  parts.fault.hidden = true;
  showVersions().catch(tell);
}

function show(source: string, { scores, parts: found, isCut }: TextAnswer): void {
  const entityCount = found.filter(({ entity }) => entity !== undefined).length;
  parts.cut.hidden = !isCut;
  parts.fault.hidden = true;
  parts.result.hidden = false;
  parts.answer.textContent = scores[0]?.label ?? entityWords(entityCount);
  parts.source.textContent = source;
  parts.marked.hidden = found.length === 0;
  parts.marked.replaceChildren(...found.map(markedPart));
  parts.scores.replaceChildren(...scores.map(scoreRow));
}

/** A part of the text: an entity stands out, its label and score behind it. */
function markedPart({ text, entity }: TextPart): Node {
  if (entity === undefined) return document.createTextNode(text);
  const mark = created("mark", text);
  mark.append(created("small", ` ${entity.entity_group} ${percentWords(entity.score)}`));
  return mark;
}

function scoreRow({ label, score }: { readonly label: string; readonly score: number }) {
  const item = document.createElement("li");
  const track = created("div", "");
  track.className = "track";
  track.ariaHidden = "true";
  const fill = created("div", "");
  fill.className = "fill";
  fill.style.width = percentWords(score).replace(" ", "");
  track.append(fill);
  const percent = created("span", percentWords(score));
  percent.className = "percent";
  item.append(created("span", label), track, percent);
  return item;
}

function created(name: "strong" | "span" | "div" | "mark" | "small", text: string): HTMLElement {
  const made = document.createElement(name);
  made.textContent = text;
  return made;
}

async function submit(): Promise<void> {
  // The keyboard submits beside the button: a slower first answer would replace the second.
  if (parts.go.disabled) return;
  parts.go.disabled = true;
  try {
    const started = systemClock.monotonic();
    const model = parts.model.value;
    const ask = asks.get(model) ?? askOf({ kind: "base" });
    const { version, texts } = await ask(client, { model, input: [parts.text.value] });
    const [answer] = texts;
    if (answer === undefined) throw new Error("The answer has no text");
    show(`${model}, version ${version}`, answer);
    parts.timings.textContent = timingWords(lastHeaders, systemClock.monotonic() - started);
  } catch (failure) {
    tell(failure);
  }
  parts.go.disabled = false;
  // A button that is disabled has lost the keyboard's focus.
  if (document.activeElement === document.body) parts.go.focus({ preventScroll: true });
}

function useKey(): void {
  sessionStorage.setItem(keyName, parts.key.value.trim());
  parts.key.value = "";
  parts.keyFault.hidden = true;
  loadModels().catch(tell);
}

takeKeyFromAddress();
parts.form.addEventListener("submit", (event) => {
  event.preventDefault();
  void submit();
});
parts.keyForm.addEventListener("submit", (event) => {
  event.preventDefault();
  useKey();
});
parts.model.addEventListener("change", changeModel);
parts.text.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) parts.form.requestSubmit();
});
loadModels().catch(tell);
