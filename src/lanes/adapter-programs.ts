/**
 * The two programs of a dense lane. Mostly adapters act in the upper layers alone; a batch in which
 * one acts below runs the program that takes adapters in all layers, which is made when it is first
 * asked for. Both give a row the same bits: what a row lacks adds exact zeros, or nothing.
 */
import type { EncoderConfig } from "../entities/base-model.ts";
import { assert } from "../foundation/assert.ts";
import type { AdapterForm } from "../models/adapter-kind.ts";
import { allLayers, computes, formsIn, upperLayers } from "../models/adapters/adapters.ts";
import type { LaneProgram, WeightRow } from "./lane.ts";

/** A program, and the adapters that its graph takes. */
export interface AdapterProgram extends LaneProgram {
  readonly adapters: readonly AdapterForm[];
}

export class AdapterPrograms {
  readonly #config: EncoderConfig;
  readonly #make: (adapters: readonly AdapterForm[]) => LaneProgram;
  readonly #upper: AdapterProgram;
  #all: AdapterProgram | undefined;

  /** `make` writes the graph down that takes these adapters. */
  constructor(config: EncoderConfig, make: (adapters: readonly AdapterForm[]) => LaneProgram) {
    this.#config = config;
    this.#make = make;
    this.#upper = this.#taking(upperLayers(config));
  }

  /** The program for adapters in the upper layers. */
  get upper(): AdapterProgram {
    return this.#upper;
  }

  /** The program for adapters in any layers. */
  get all(): AdapterProgram {
    this.#all ??= this.#taking(allLayers(this.#config));
    return this.#all;
  }

  /** Those that one of the programs computes. */
  get adapters(): readonly AdapterForm[] {
    return formsIn(allLayers(this.#config));
  }

  /** The smaller program that computes all that these rows bring. */
  for(rows: readonly WeightRow[]): AdapterProgram {
    const isTaken = ({ adapters }: AdapterProgram): boolean =>
      rows.every(({ adapter }) => adapter === undefined || computes(adapters, adapter));
    if (isTaken(this.#upper)) return this.#upper;
    assert(isTaken(this.all), "No lane is asked for adapters that it does not compute");
    return this.all;
  }

  #taking(layers: readonly number[]): AdapterProgram {
    const adapters = formsIn(layers);
    return { ...this.#make(adapters), adapters };
  }
}
