/** Zip archives for tests, honest and lying. */
import { crc32, deflateRawSync } from "node:zlib";

/** So many zeros, compressed. */
export function deflatedZeros(count: number): Uint8Array {
  return deflateRawSync(new Uint8Array(count));
}

export interface Deflated {
  readonly bytes: Uint8Array;
  /** What the entry says that they become. */
  readonly size: number;
}

/** A zip archive; what is not deflated is stored as it is (PKWARE APPNOTE 4.3). */
export function zipOf(content: Record<string, string | Uint8Array | Deflated>): Uint8Array {
  const locals: Buffer[] = [];
  const central: Buffer[] = [];
  let offset = 0;
  for (const [path, body] of Object.entries(content)) {
    const name = Buffer.from(path);
    const isDeflated = typeof body === "object" && "size" in body;
    const bytes = Buffer.from(isDeflated ? body.bytes : body);
    const shared = Buffer.alloc(26);
    shared.writeUInt16LE(20, 0);
    shared.writeUInt32LE(crc32(bytes), 10);
    shared.writeUInt32LE(bytes.length, 14);
    shared.writeUInt16LE(isDeflated ? 8 : 0, 4);
    shared.writeUInt32LE(isDeflated ? body.size : bytes.length, 18);
    shared.writeUInt16LE(name.length, 22);
    const place = Buffer.alloc(14);
    place.writeUInt32LE(offset, 10);
    const local = Buffer.concat([Buffer.from("PK\x03\x04"), shared, name, bytes]);
    central.push(Buffer.from("PK\x01\x02\x14\x00"), shared, place, name);
    locals.push(local);
    offset += local.length;
  }
  const directory = Buffer.concat(central);
  const end = Buffer.alloc(18);
  end.writeUInt16LE(locals.length, 4);
  end.writeUInt16LE(locals.length, 6);
  end.writeUInt32LE(directory.length, 8);
  end.writeUInt32LE(offset, 12);
  return Buffer.concat([...locals, directory, Buffer.from("PK\x05\x06"), end]);
}
