/** What pip is configured with: its files in its order, then its environment. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";

type Environment = Readonly<Record<string, string | undefined>>;

const publicIndex = "https://pypi.org/simple";

/** Addresses of the simple indexes, the main one first; none when pip must not use any. */
export async function pipIndexes(environment: Environment): Promise<readonly string[]> {
  const options = await pipOptions(environment);
  if (/^(1|true|yes|on)$/i.test(options.get("no-index") ?? "")) return [];
  const extra = options.get("extra-index-url") ?? "";
  const urls = [options.get("index-url") ?? publicIndex, ...extra.split(/\s+/)];
  return urls.filter((url) => URL.canParse(url));
}

/** Path of the certificates that pip trusts, or undefined when it is not told. */
export async function pipCertificates(environment: Environment): Promise<string | undefined> {
  return (await pipOptions(environment)).get("cert");
}

async function pipOptions(environment: Environment): Promise<ReadonlyMap<string, string>> {
  const options = new Map<string, string>();
  for (const path of pipFiles(environment)) {
    const text = await readFile(path, "utf8").catch(() => "");
    for (const [key, value] of optionsOfFile(text)) options.set(key, value);
  }
  for (const key of ["index-url", "extra-index-url", "no-index", "cert"]) {
    const value = environment[`PIP_${key.toUpperCase().replaceAll("-", "_")}`];
    if (value !== undefined && value !== "") options.set(key, value);
  }
  return options;
}

/** pip's configuration files, the weakest first. `PIP_CONFIG_FILE` is the strongest. */
function pipFiles(environment: Environment): string[] {
  const home = environment["HOME"] ?? environment["USERPROFILE"] ?? "";
  const shared = (environment["XDG_CONFIG_DIRS"] || "/etc/xdg").split(":");
  const files = [
    "/Library/Application Support/pip/pip.conf",
    ...shared.reverse().map((folder) => join(folder, "pip", "pip.conf")),
    "/etc/pip.conf",
    join(home, ".pip", "pip.conf"),
    join(environment["XDG_CONFIG_HOME"] || join(home, ".config"), "pip", "pip.conf"),
    join(home, "Library", "Application Support", "pip", "pip.conf"),
    join(environment["APPDATA"] ?? home, "pip", "pip.ini"),
    join(environment["VIRTUAL_ENV"] || home, "pip.conf"),
  ];
  const chosen = environment["PIP_CONFIG_FILE"];
  return chosen ? [...files, chosen] : files;
}

/** The options of [global] and, stronger, of [install] in an ini file as pip writes it. */
function optionsOfFile(text: string): ReadonlyMap<string, string> {
  const sections = { global: new Map<string, string>(), install: new Map<string, string>() };
  let section: Map<string, string> | undefined;
  const withoutComments = text.replaceAll(/^\s*[#;].*$/gm, "");
  // An indented line continues the option above it.
  for (const line of withoutComments.replaceAll(/\s*\n[ \t]+(?=\S)/g, " ").split(/\r?\n/)) {
    const header = /^\[(.*)\]\s*$/.exec(line)?.[1];
    if (header !== undefined)
      section = header === "global" || header === "install" ? sections[header] : undefined;
    const [, key, value] = /^([\w-]+)\s*[=:]\s*(.*?)\s*$/.exec(line) ?? [];
    if (key !== undefined) section?.set(key.toLowerCase().replaceAll("_", "-"), value ?? "");
  }
  return new Map([...sections.global, ...sections.install]);
}
