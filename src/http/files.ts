/** Uploaded files. A blob leaves with the last row that names it. */
import pLimit, { type LimitFunction } from "p-limit";
import { filePurposes } from "../contract/files.ts";
import type { FileObject, fileRoutes } from "../contract/files.ts";
import { shortageRemark } from "../contract/remarks.ts";
import { checkUsable, faultSummary, trainingFault } from "../datasets/datasets.ts";
import { readDataset } from "../datasets/read.ts";
import type { Caller } from "../entities/caller.ts";
import type { TrainingFile } from "../entities/training-file.ts";
import type { Digest } from "../foundation/digest.ts";
import { StrataError } from "../foundation/errors.ts";
import { limits } from "../foundation/limits.ts";
import { peek } from "../foundation/peek.ts";
import { requireFile, unlessRotten } from "../storage/checks.ts";
import type { Store, TenantCatalog } from "../storage/storage.ts";
import { withinDeadline } from "./deadline.ts";
import { pageReply } from "./list-reply.ts";
import { type HandlersOf, Reply } from "./operation.ts";
import { filtered, rowsOf, unixSeconds } from "./paging.ts";
import { receiveUpload, type Upload } from "./upload.ts";
import type { Services } from "./services.ts";

export function fileHandlers(services: Services): HandlersOf<typeof fileRoutes> {
  const { clock, store } = services;
  // Each check holds its file's texts in memory.
  const checks = pLimit(limits.fileCheckCountMax);
  const drop = (blob: Digest): Promise<void> => store.holds.release(blob);
  const own = (caller: Caller): TenantCatalog => store.catalog.of(caller);
  return {
    createFile: async ({ caller, request, intake, signal: client }) => {
      const { arrival } = intake;
      const upload = await receiveUpload(request, { blobs: store.holds, arrival, drop });
      const waitMsMax = limits.modelCreationMsMax;
      try {
        const row = await withinDeadline({ clock, client, waitMsMax }, (signal) =>
          rowOf(services, upload, { checks, signal }),
        );
        await own(caller).files.insert(row);
        return fileObject(row);
      } finally {
        await drop(upload.digest);
      }
    },
    listFiles: async ({ caller, query }) => {
      const { after, limit, order, purpose } = query;
      const rows = rowsOf(own(caller).files, clock, { after, descending: order === "desc" });
      const isWanted = (file: TrainingFile): boolean =>
        purpose === undefined || file.purpose === purpose;
      return pageReply(filtered(rows, isWanted), { limit, toItem: fileObject });
    },
    retrieveFile: async ({ caller, params }) =>
      fileObject(await requireFile(own(caller), params.id, "id")),
    downloadFile: async ({ caller, params, answerHeaders }) => {
      const file = await requireFile(own(caller), params.id, "id");
      // That there are no bytes, or wrong ones in place of the first, is told at once.
      const { all } = await peek(store.blobs.stream(file.blob), 1);
      answerHeaders["content-disposition"] = "attachment";
      answerHeaders["content-length"] = String(file.bytes);
      return new Reply(200, "application/octet-stream", all);
    },
    deleteFile: async ({ caller, params }) => {
      const { id } = params;
      const file = await unlessRotten(requireFile(own(caller), id, "id"));
      await own(caller).files.delete(id);
      if (file !== undefined) await store.holds.removeUnused(file.blob);
      return { id, object: "file", deleted: true };
    },
  };
}

async function rowOf(
  services: Services,
  upload: Upload,
  { checks, signal }: { readonly checks: LimitFunction; readonly signal: AbortSignal },
): Promise<TrainingFile> {
  const purpose = upload.fields.get("purpose");
  if (!filePurposes.some((known) => known === purpose) || purpose === undefined)
    throw new StrataError(
      "INVALID_ARGUMENT",
      `Cannot accept the upload: expected a purpose of ${filePurposes.join(", ")}`,
      { field: "purpose" },
    );
  const filename = upload.filename.slice(0, limits.fileNameCharactersMax) || "file";
  const faultSummary =
    purpose === "fine-tune"
      ? await checks(() => checkedLines(services.store, upload, { filename, signal }))
      : undefined;
  return {
    id: services.ids.next("file-"),
    filename,
    purpose,
    bytes: upload.bytes,
    blob: upload.digest,
    createdAt: services.clock.now(),
    faultSummary,
  };
}

/** What the user should know of the file; INVALID_ARGUMENT when no line can be used. */
async function checkedLines(
  store: Store,
  upload: Upload,
  source: { readonly filename: string; readonly signal: AbortSignal },
): Promise<string | undefined> {
  const chunks = store.blobs.stream(upload.digest);
  const dataset = await readDataset(chunks, { ...source, field: "file" });
  const { examples, warnings } = dataset;
  checkUsable(dataset, { ...source, field: "file" });
  const faults = faultSummary(dataset, examples.length);
  const shortage = trainingFault(dataset);
  const remarks = [
    ...(faults === undefined ? [] : [faults]),
    ...warnings,
    ...(shortage === undefined ? [] : [`${shortageRemark}: ${shortage}`]),
  ];
  return remarks.length === 0 ? undefined : remarks.join("\n");
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
  };
}
