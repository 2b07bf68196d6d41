/**
 * The sequences that wait, in the order of weighted start-time fair queueing, and what each flow
 * has had so far. It knows no time but its virtual one, which passes as batches are taken.
 */
import type { Flow } from "../scheduling/flow.ts";
import { startTag, virtualTimeAfter, virtualWork, type Waiting } from "../scheduling/schedule.ts";

export interface Queued extends Waiting {
  readonly flow: Flow;
  /** The queue's own to change. */
  tag: number;
}

/** What a flow has that waits, or that owes. */
interface Account {
  /** The weight of its sequences that wait. */
  weight: number;
  waitingCount: number;
  /** Virtual time at which its last sequence ends. */
  finish: number;
}

/** Accounts of flows that have nothing in the queue: this many are kept without looking at them. */
const accountCountKept = 1_024;

export class FairQueue<S extends Queued> {
  /** Ascending by tag. */
  #waiting: S[] = [];
  readonly #accounts = new Map<string, Account>();
  #waitingFlowCount = 0;
  #weightSum = 0;
  #virtualTime = 0;

  get waiting(): readonly S[] {
    return this.#waiting;
  }

  get virtualTime(): number {
    return this.#virtualTime;
  }

  /** The tag of the flow's next sequence. */
  nextTag({ id }: Flow): number {
    return startTag(this.#virtualTime, this.#accounts.get(id)?.finish);
  }

  /** The weights of the flows that wait, without this one. */
  otherWeight({ id }: Flow): number {
    const account = this.#accounts.get(id);
    return this.#weightSum - (account !== undefined && isWaiting(account) ? account.weight : 0);
  }

  /** Queues a new sequence, whose tag is its flow's next one. */
  add(sequence: S): void {
    this.putBack(sequence);
    this.#accountOf(sequence.flow).finish =
      sequence.tag + virtualWork(sequence.workMs, sequence.flow.weight);
  }

  /** Queues a sequence again that was taken and did not run, in its old place. */
  putBack(sequence: S): void {
    this.#waiting.splice(this.#placeOf(sequence.tag), 0, sequence);
    const account = this.#accountOf(sequence.flow);
    if (!isWaiting(account)) {
      account.weight = sequence.flow.weight;
      this.#waitingFlowCount += 1;
      this.#weightSum += account.weight;
    }
    account.waitingCount += 1;
  }

  /**
   * These could not run until now. The flow's turn begins as if they came now: what it could not
   * use is not made up for at the cost of the others.
   */
  restart(sequences: ReadonlySet<S>): void {
    const waiting = this.#waiting.filter((sequence) => sequences.has(sequence));
    const [first] = waiting;
    if (first === undefined || first.tag >= this.#virtualTime) return;
    const [start, delay] = [first.tag, this.#virtualTime - first.tag];
    for (const sequence of this.#waiting)
      if (sequence.flow.id === first.flow.id && sequence.tag >= start) sequence.tag += delay;
    this.#waiting.sort((one, other) => one.tag - other.tag);
    this.#accountOf(first.flow).finish += delay;
  }

  /** The place behind all whose tags are not higher. */
  #placeOf(tag: number): number {
    let [low, high] = [0, this.#waiting.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#waiting[middle]?.tag ?? 0) > tag) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  /** Takes a batch out, to run: virtual time passes. */
  take(batch: readonly S[]): void {
    this.#virtualTime = virtualTimeAfter(this.#virtualTime, batch, this.#weightSum);
    this.#remove(new Set(batch));
  }

  /** Takes out those of the sequences that wait, and returns them; their flows owe nothing. */
  withdraw(sequences: ReadonlySet<S>): readonly S[] {
    const withdrawn = this.#waiting.filter((sequence) => sequences.has(sequence));
    for (const { flow, workMs } of withdrawn)
      this.#accountOf(flow).finish -= virtualWork(workMs, flow.weight);
    this.#remove(new Set(withdrawn));
    return withdrawn;
  }

  /** All of them wait. */
  #remove(sequences: ReadonlySet<S>): void {
    this.#waiting = this.#waiting.filter((sequence) => !sequences.has(sequence));
    for (const { flow } of sequences) {
      const account = this.#accountOf(flow);
      account.waitingCount -= 1;
      if (isWaiting(account)) continue;
      this.#waitingFlowCount -= 1;
      this.#weightSum -= account.weight;
    }
    this.#forget();
  }

  #accountOf({ id, weight }: Flow): Account {
    const known = this.#accounts.get(id);
    if (known !== undefined) return known;
    const account = { weight, waitingCount: 0, finish: 0 };
    this.#accounts.set(id, account);
    return account;
  }

  /** Flows that neither wait nor owe anything; an idle queue forgives all debts. */
  #forget(): void {
    if (this.#waiting.length === 0) {
      this.#accounts.clear();
      // What rounding has left of sums and differences goes, too.
      this.#weightSum = 0;
    }
    if (this.#accounts.size < 2 * this.#waitingFlowCount + accountCountKept) return;
    for (const [id, account] of this.#accounts)
      if (!isWaiting(account) && account.finish <= this.#virtualTime) this.#accounts.delete(id);
  }
}

function isWaiting({ waitingCount }: Account): boolean {
  return waitingCount > 0;
}
