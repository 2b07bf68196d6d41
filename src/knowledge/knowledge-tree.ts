/**
 * Domains as a tree. The root holds what is general; a domain's table holds only n-grams that are
 * frequent in its texts, and for all others its parent answers, at any depth. The rows of a
 * sequence depend on its domain and its tokens, never on its batch. A tree does not change: a new
 * table makes a new tree, and look-ups in the old one stay good.
 */
import { present } from "../foundation/assert.ts";
import { StrataError } from "../foundation/errors.ts";
import type { Knowledge, Lookup, MissRule, TokenBatch } from "./knowledge.ts";
import type { LookupTable } from "./lookup-table.ts";
import { ngramsInOrder } from "./ngram-map.ts";
import { NgramSearch } from "./ngram-search.ts";
import { rowsBytes, type TableRows } from "./table-rows.ts";

export interface Domain {
  readonly name: string;
  /** The domain that answers for what the table lacks; the root has none. */
  readonly parent: string | undefined;
  readonly table: LookupTable;
}

/** What a domain takes. */
export interface DomainSize {
  readonly name: string;
  /** How many domains there are above it. */
  readonly depth: number;
  readonly entryCount: number;
  readonly rowBytes: number;
  readonly mapBytes: number;
}

export class KnowledgeTree implements Knowledge {
  readonly rows: readonly TableRows[];
  readonly #domains: readonly Domain[];
  /** The numbers of the tables that answer for each domain, its own first, the root's last. */
  readonly #paths: readonly (readonly number[])[];

  /** Parents stand before their children; sequences name a domain by its place in the list. */
  constructor(domains: readonly Domain[]) {
    const paths: number[][] = [];
    for (const [number, domain] of domains.entries()) {
      const fault = faultOf(domain, domains.slice(0, number));
      if (fault !== undefined)
        throw new StrataError("INVALID_ARGUMENT", `Cannot add domain "${domain.name}": ${fault}`);
      const parent = domains.findIndex(({ name }) => name === domain.parent);
      paths.push([number, ...(paths[parent] ?? [])]);
    }
    this.#domains = domains;
    this.#paths = paths;
    this.rows = domains.map(({ table }) => table.rows);
  }

  lookUp({ ids, spans }: TokenBatch, missRule: MissRule): Lookup {
    const maps = this.#domains.map(({ table }) => table.map);
    const search = new NgramSearch({ maps, missRule, positionCount: ids.length });
    for (const { start, length, domain } of spans) {
      const path = present(this.#paths[domain], `There is no domain of number ${domain}`);
      search.add(path, start, ids.subarray(start, start + length));
    }
    const { tables, rows, hits, missing } = search;
    return { spans, tables, rows, hits, misses: ngramsInOrder(missing) };
  }

  sizes(): readonly DomainSize[] {
    return this.#domains.map(({ name, table }, number) => ({
      name,
      depth: (this.#paths[number]?.length ?? 1) - 1,
      entryCount: table.map.size,
      rowBytes: rowsBytes(table.rows),
      mapBytes: table.map.cells.byteLength,
    }));
  }
}

function faultOf(domain: Domain, earlier: readonly Domain[]): string | undefined {
  const { name, parent, table } = domain;
  if (earlier.some((other) => other.name === name)) return "it is there already";
  if (earlier.length === 0) return parent === undefined ? undefined : "the first one is the root";
  if (!earlier.some((other) => other.name === parent)) return `its parent "${parent}" is not there`;
  const { precision, hiddenSize } = present(earlier[0], "The root").table.rows;
  const isAlike = table.rows.precision === precision && table.rows.hiddenSize === hiddenSize;
  return isAlike
    ? undefined
    : `expected rows of ${precision} x ${hiddenSize}, got ` +
        `${table.rows.precision} x ${table.rows.hiddenSize}`;
}
