import type { Checkpoint } from "@bourse/proof";
import type {
  GetProofRequest,
  LineageService,
} from "@bourse/proto/bourse/ledger/v1/lineage_service_pb.ts";
import { principalKey } from "@bourse/rpc";
import type { ServiceImpl } from "@connectrpc/connect";
import { decodeId } from "./codec.ts";
import type { EntryName, LogStore } from "./log.ts";

/** What proofs are served with. */
export interface ProofOptions {
  readonly log: LogStore;
  /** Writes a checkpoint, signed or not, as others keep it. */
  readonly note: (checkpoint: Checkpoint) => string;
}

/** Serves the log over the journal, and proofs from it. */
export function proofs({ log, note }: ProofOptions) {
  const encode = (checkpoint: Checkpoint) => ({
    ...checkpoint,
    root: Uint8Array.from(checkpoint.root),
    size: BigInt(checkpoint.size),
    note: note(checkpoint),
  });
  return {
    async getCheckpoint({ size }, { signal }) {
      return { checkpoint: encode(await log.checkpoint(decodeSize(size), { signal })) };
    },

    async getProof({ entry, size }, ctx) {
      const { kind, id } = ctx.values.get(principalKey);
      const options = { signal: ctx.signal, viewer: kind === "agent" ? id : undefined };
      const proof = await log.prove(decodeEntry(entry), decodeSize(size), options);
      return {
        proof: {
          entry: proof.entry,
          entryIndex: proof.index,
          entryPath: proof.path.map((hash) => Uint8Array.from(hash)),
          batch: proof.batch,
          batchPath: proof.batchPath.map((hash) => Uint8Array.from(hash)),
          checkpoint: encode(proof.checkpoint),
        },
      };
    },

    async getConsistencyProof({ fromSize, toSize }, { signal }) {
      const to = decodeSize(toSize);
      const { path, checkpoint } = await log.proveConsistency(Number(fromSize), to, { signal });
      return {
        path: path.map((hash) => Uint8Array.from(hash)),
        checkpoint: encode(checkpoint),
      };
    },
  } satisfies Partial<ServiceImpl<typeof LineageService>>;
}

/** Sizes beyond 2^53 are beyond any log, also after rounding. */
function decodeSize(size: bigint): number | undefined {
  return size === 0n ? undefined : Number(size);
}

function decodeEntry(entry: GetProofRequest["entry"]): EntryName {
  switch (entry.case) {
    case "movementId":
      return { kind: "movement", id: decodeId(entry.value) };
    case "eventId":
      return { kind: "event", id: entry.value };
    case "eventSequence":
      return { kind: "sequence", sequence: entry.value };
    case undefined:
      throw new TypeError("a proof is asked of no entry");
  }
}
