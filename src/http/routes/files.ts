/** Uploaded files in OpenAI's terms. */
import { filePurposes } from "../../contract/files.ts";
import type { FileObject, fileRoutes } from "../../contract/files.ts";
import type { TrainingFile } from "../../entities/training-file.ts";
import { StrataError } from "../../foundation/errors.ts";
import { limits } from "../../foundation/limits.ts";
import type { FileListOptions } from "../../files/files.ts";
import { remarksOn } from "../../files/remarks.ts";
import { withinDeadline } from "../deadline.ts";
import { pageReply } from "../list-reply.ts";
import { type HandlersOf, Reply } from "../operation.ts";
import { rowsOf, unixSeconds } from "../paging.ts";
import { receiveUpload } from "../upload.ts";
import type { Services } from "../services.ts";

export function fileHandlers({ files, clock }: Services): HandlersOf<typeof fileRoutes> {
  return {
    createFile: async ({ caller, request, intake: { arrival }, signal: client }) => {
      const waitMsMax = limits.modelCreationMsMax;
      const row = await files.accept(caller, {
        receive: async (store) => {
          const { fields, ...file } = await receiveUpload(request, { store, arrival });
          return { ...file, purpose: purposeOf(fields) };
        },
        within: (check) => withinDeadline({ clock, client, waitMsMax }, check),
      });
      return fileObject(row);
    },
    listFiles: async ({ caller, query }) => {
      const { after, limit, order, purpose } = query;
      const where = purpose === undefined ? {} : { purpose };
      const table = { list: (options: FileListOptions) => files.list(caller, options) };
      const rows = rowsOf(table, clock, { after, descending: order === "desc", where });
      return pageReply(rows, { limit, toItem: fileObject });
    },
    retrieveFile: async ({ caller, params }) => fileObject(await files.get(caller, params.id)),
    downloadFile: async ({ caller, params, answerHeaders }) => {
      const { file, bytes } = await files.content(caller, params.id);
      answerHeaders["content-disposition"] = "attachment";
      answerHeaders["content-length"] = String(file.bytes);
      return new Reply(200, "application/octet-stream", bytes);
    },
    deleteFile: async ({ caller, params: { id } }) => {
      await files.delete(caller, id);
      return { id, object: "file", deleted: true };
    },
  };
}

function purposeOf(fields: ReadonlyMap<string, string>): string {
  const purpose = fields.get("purpose");
  if (purpose !== undefined && filePurposes.some((known) => known === purpose)) return purpose;
  throw new StrataError(
    "INVALID_ARGUMENT",
    `Cannot accept the upload: expected a purpose of ${filePurposes.join(", ")}`,
    { field: "purpose" },
  );
}

function fileObject(file: TrainingFile): FileObject {
  return {
    id: file.id,
    object: "file",
    bytes: file.bytes,
    created_at: unixSeconds(file.createdAt),
    filename: file.filename,
    purpose: file.purpose,
    status: "processed",
    status_details: file.faultSummary ?? null,
    strata: { task: file.task ?? null, remarks: remarksOn(file) },
  };
}
