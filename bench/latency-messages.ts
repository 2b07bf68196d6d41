/** What the bench `latency` asks of its server's process. */

export interface LatencyScene {
  readonly home: string;
  readonly cacheFolder: string;
  readonly apiKey: string;
  /** Models in the catalog, each with the longest and most labels. */
  readonly modelCount: number;
  /** Files in the catalog, each with a long report on its lines. */
  readonly fileCount: number;
}

export interface LatencyCommand {
  readonly kind: "mark" | "read" | "countOrphans" | "close";
}

export type LatencyReply =
  | { readonly kind: "ready"; readonly url: string }
  | { readonly kind: "marked" }
  | {
      readonly kind: "read";
      /** The highest memory since the mark above the one at the mark. */
      readonly rssGrowthBytes: number;
      /** The longest time on a core between two looks, without what others on the machine take. */
      readonly heldMs: number;
    }
  /** Blobs that no row names. */
  | { readonly kind: "orphans"; readonly count: number };
