/** A reporter of tests: it says at the end what was skipped and why, and how many ran. */
interface TestEvent {
  readonly type: string;
  readonly data: {
    readonly name?: string;
    /** The reason, or true when there is none. */
    readonly skip?: string | boolean;
    readonly details?: { readonly type?: string };
  };
}

// oxlint-disable-next-line import/no-default-export -- Node takes a reporter's default export.
export default async function* report(events: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  const skipped: string[] = [];
  let [passedCount, failedCount] = [0, 0];
  for await (const { type, data } of events) {
    if (data.details?.type === "suite") continue;
    if (type === "test:fail") failedCount += 1;
    if (type !== "test:pass") continue;
    const { name = "", skip } = data;
    if (skip === undefined || skip === false) passedCount += 1;
    else skipped.push(typeof skip === "string" && skip !== "" ? `${name}: ${skip}` : name);
  }
  const lines = skipped.map((line) => `skipped  ${line}\n`);
  const counts = `${passedCount} passed, ${failedCount} failed, ${skipped.length} skipped`;
  // At once, since the other reporter writes too.
  yield `\n${lines.join("")}${counts}\n`;
}
