/** Uploads, downloads, deletions and lists of files. */
import { digestOf } from "../../src/foundation/digest.ts";
import { formOf } from "./contents.ts";
import { type Answer, bodyOf, hadRotted, type Judgement, type Operation } from "./operation.ts";

export function upload(content: Uint8Array, isGood: boolean): Operation {
  const blob = digestOf(content);
  return {
    what: `upload ${blob.slice(7, 15)}`,
    wire: { method: "POST", path: "/v1/files", form: formOf(content) },
    may: (change) => change.kind === "file added" && change.blob === blob,
    fault: ({ status, body }, { ledger, changes }) => {
      if (status === 400) return isGood ? "a good file was refused" : undefined;
      if (status !== 200 || !isGood) return "expected the file, or its refusal";
      const { id } = bodyOf<{ readonly id: string }>({ body });
      if (!changes.some((change) => change.kind === "file added" && change.id === id))
        return `file "${id}" was acknowledged and is not committed`;
      return ledger.files.get(id)?.presence.now === true ? undefined : "the file is gone";
    },
  };
}

export function download(id: string): Operation {
  return {
    what: `download ${id}`,
    wire: { path: `/v1/files/${id}/content` },
    may: () => false,
    fault: ({ status, bytes }, judgement) => {
      if (status === 404) return mayBe(judgement, id, false);
      if (status !== 200) return "expected the bytes, or that they are not there";
      const file = judgement.ledger.files.get(id);
      if (file !== undefined && hadRotted(file, judgement)) return "its row has rotted";
      if (file === undefined || Buffer.compare(bytes, file.bytes) !== 0) return "other bytes came";
      return mayBe(judgement, id, true);
    },
  };
}

export function deleteFile(id: string): Operation {
  return {
    what: `delete file ${id}`,
    wire: { method: "DELETE", path: `/v1/files/${id}` },
    may: (change) => change.kind === "file removed" && change.id === id,
    fault: ({ status }, judgement) => {
      if (status === 404) return mayBe(judgement, id, false);
      if (status !== 200) return "expected its deletion, or that it is not there";
      return judgement.ledger.files.get(id)?.presence.now === false
        ? undefined
        : "a deleted file is there";
    },
  };
}

export function listFiles(): Operation {
  return {
    what: "list files",
    wire: { path: "/v1/files?limit=1000" },
    may: () => false,
    fault: (answer, judgement) => {
      const { ledger, from, step } = judgement;
      const listed = idsOf(answer);
      if (listed === undefined) return "expected a list";
      for (const id of listed)
        if (ledger.files.get(id)?.presence.possible(from, step).includes(true) !== true)
          return `"${id}" is listed and is not there`;
      for (const { id, presence, rotStep } of ledger.files.values())
        if (
          rotStep === undefined &&
          !presence.possible(from, step).includes(false) &&
          !listed.includes(id)
        )
          return `"${id}" is there and is not listed`;
      return undefined;
    },
  };
}

/** The ids of a list's items; undefined when the answer is none. */
export function idsOf({ status, body }: Answer): readonly string[] | undefined {
  if (status !== 200) return undefined;
  return bodyOf<{ readonly data: { readonly id: string }[] }>({ body }).data.map(({ id }) => id);
}

function mayBe({ ledger, from, step }: Judgement, id: string, isThere: boolean) {
  const possible = ledger.files.get(id)?.presence.possible(from, step) ?? [false];
  if (possible.includes(isThere)) return undefined;
  return `file "${id}" ${isThere ? "was deleted before" : "is there"}`;
}
