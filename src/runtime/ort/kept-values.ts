/**
 * The values that a program keeps between runs. What a run replaces is overwritten where that is
 * safe; else it lies in two buffers, of which a run reads one and writes the other.
 */
import type { Tensor } from "onnxruntime-node";
import { present } from "../../foundation/assert.ts";
import type { StateNames } from "../runtime.ts";

/** Whether runs replace some of the state. */
export function isReplaced(state: StateNames): boolean {
  return Object.values(state).some((output) => output !== null);
}

export class KeptValues {
  /** The output that replaces an input, by the input's name. */
  readonly #replacements: ReadonlyMap<string, string>;
  /** Inputs whose next values take their place in memory. */
  readonly #overwritten: ReadonlySet<string>;
  readonly #emptyLike: (tensor: Tensor) => Tensor;
  readonly #values = new Map<string, Tensor>();
  /** The other buffers. */
  readonly #spare = new Map<string, Tensor>();

  constructor(
    state: StateNames,
    overwritten: ReadonlySet<string>,
    emptyLike: (tensor: Tensor) => Tensor,
  ) {
    this.#overwritten = overwritten;
    const replaced = Object.entries(state).flatMap(([input, output]) =>
      output === null ? [] : [[input, output] as const],
    );
    this.#replacements = new Map(replaced);
    this.#emptyLike = emptyLike;
  }

  write(name: string, tensor: Tensor): void {
    this.#values.set(name, tensor);
    if (this.#replacements.has(name) && !this.#overwritten.has(name))
      this.#spare.set(name, this.#emptyLike(tensor));
  }

  read(name: string): Tensor {
    return present(this.#values.get(name), `State "${name}" was written`);
  }

  /** What the next run reads, by input. */
  get inputs(): Readonly<Record<string, Tensor>> {
    return Object.fromEntries(this.#values);
  }

  /** The buffers for what replaces them, by output. */
  get targets(): Readonly<Record<string, Tensor>> {
    return Object.fromEntries(
      [...this.#replacements].map(([input, output]) => [output, this.#targetOf(input)]),
    );
  }

  /** The run is over: what it wrote is what the next one reads. */
  advance(): void {
    for (const [input, next] of this.#spare) {
      this.#spare.set(input, this.read(input));
      this.#values.set(input, next);
    }
  }

  /** A run broke off: what it may have overwritten in part is no value any more. */
  forgetTorn(): void {
    for (const input of this.#overwritten) this.#values.delete(input);
  }

  #targetOf(input: string): Tensor {
    return this.#spare.get(input) ?? this.read(input);
  }
}
