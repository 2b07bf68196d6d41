/** Numbers that several threads read where they lie. */

/** A typed array, as far as its memory is concerned. */
interface View {
  readonly buffer: ArrayBufferLike;
  readonly byteOffset: number;
  readonly byteLength: number;
}

export function isShared({ buffer }: View): boolean {
  return buffer instanceof SharedArrayBuffer;
}

/** The same values in shared memory: copied, unless they lie there already. */
export function inSharedMemory<V extends View>(values: V): V {
  if (isShared(values)) return values;
  const { buffer, byteOffset, byteLength } = values;
  const memory = new SharedArrayBuffer(byteLength);
  new Uint8Array(memory).set(new Uint8Array(buffer, byteOffset, byteLength));
  const make = values.constructor as new (memory: SharedArrayBuffer) => V; // a typed array's own
  return new make(memory);
}
