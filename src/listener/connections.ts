/**
 * The connections of a server: how many there may be, of everyone and of one peer, and that those
 * which say nothing give way to those which come.
 */
import type { Server, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { limits } from "../foundation/limits.ts";

export interface ConnectionLimits {
  readonly countMax: number;
  readonly peerCountMax: number;
}

const defaultLimits: ConnectionLimits = {
  countMax: limits.connectionCountMax,
  peerCountMax: limits.peerConnectionCountMax,
};

interface Peer {
  count: number;
  /** Connections without a request in work, the longest silent first. */
  readonly idle: Set<Socket>;
}

export class Connections {
  readonly #peers = new Map<string, Peer>();
  readonly #limits: ConnectionLimits;
  /** Several of a client that does not wait for its answers. */
  readonly #working = new Map<Socket, Set<ServerResponse>>();
  #count = 0;

  constructor(server: Server, chosen: ConnectionLimits = defaultLimits) {
    this.#limits = chosen;
    server.on("connection", (socket: Socket) => this.#admit(socket));
    server.on("request", ({ socket }, response) => this.#work(socket, response));
  }

  /** Responses to requests that are in work. */
  get working(): Iterable<ServerResponse> {
    return [...this.#working.values()].flatMap((responses) => [...responses]);
  }

  /** Whether no request of this connection is in work. */
  isIdle(socket: Socket): boolean {
    return this.#peers.get(peerOf(socket))?.idle.has(socket) === true;
  }

  /** Closes those on which nothing has ever arrived, as browsers open some in advance. */
  closeUnused(): void {
    for (const { idle } of this.#peers.values())
      for (const socket of idle) if (socket.bytesRead === 0) socket.destroy();
  }

  #admit(socket: Socket): void {
    const name = peerOf(socket);
    const peer = this.#peers.get(name) ?? { count: 0, idle: new Set() };
    const { countMax, peerCountMax } = this.#limits;
    // A peer that has its share gives way to itself, a full server's largest peer to others.
    const isShareFull = peer.count >= peerCountMax;
    const isFull = isShareFull || this.#count >= countMax;
    if (isFull && !giveWay(isShareFull ? peer : this.#largest(peer))) {
      socket.destroy();
      return;
    }
    this.#peers.set(name, peer);
    this.#count += 1;
    peer.count += 1;
    peer.idle.add(socket);
    socket.once("close", () => this.#leave(name, peer, socket));
  }

  #leave(name: string, peer: Peer, socket: Socket): void {
    this.#count -= 1;
    peer.count -= 1;
    peer.idle.delete(socket);
    // An answer whose turn never came is not told that its connection has closed.
    this.#working.delete(socket);
    if (peer.count === 0) this.#peers.delete(name);
  }

  #work(socket: Socket, response: ServerResponse): void {
    const idle = this.#peers.get(peerOf(socket))?.idle;
    idle?.delete(socket);
    const responses = this.#working.get(socket) ?? new Set();
    this.#working.set(socket, responses.add(response));
    response.once("close", () => {
      responses.delete(response);
      if (responses.size > 0) return;
      this.#working.delete(socket);
      if (!socket.destroyed) idle?.add(socket);
    });
  }

  #largest(other: Peer): Peer {
    let largest = other;
    for (const peer of this.#peers.values()) if (peer.count > largest.count) largest = peer;
    return largest;
  }
}

/** Closes the peer's longest silent connection; false when all are at work. */
function giveWay({ idle }: Peer): boolean {
  const [longest] = idle;
  if (longest === undefined) return false;
  // The count follows when it has closed; until then it must not be chosen again.
  idle.delete(longest);
  longest.destroy();
  return true;
}

function peerOf(socket: Socket): string {
  return socket.remoteAddress ?? "";
}
