import { createPublicKey } from "node:crypto";
import { generateKeys } from "@bourse/access";
import { type Market, reasonOf } from "@bourse/client";
import { consistencyDocument, isSignedBy, proofDocument, verifierKey } from "@bourse/proof";
import { MovementKindSchema } from "@bourse/proto/bourse/ledger/v1/ledger_pb.ts";
import type {
  Checkpoint,
  GetProofRequest,
} from "@bourse/proto/bourse/ledger/v1/lineage_service_pb.ts";
import { nameOf } from "../../demo/read.ts";
import { Failure } from "../../failure.ts";
import { isDataFolder, openDataFolder } from "../../market/data-folder.ts";
import { openMarket, tellingRefusals } from "../connection.ts";
import { readCheckpoint, readJson, readSize } from "./files.ts";

interface ProveOptions {
  readonly data: string;
  readonly size?: string;
  readonly checkpoint?: string;
}

/** Whoever comes first after long has tiles made of all that was written since. */
const PATIENT = { timeoutMs: 120_000 };

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** `bourse ledger checkpoint`: prints the state of the log, signed where the ledger has a key. */
export function checkpoint({ data, size }: ProveOptions): Promise<void> {
  const wanted = readSize(size) ?? 0n;
  return tellingRefusals(async () => {
    await using market = await openMarket(data);
    const { checkpoint: found } = await market.lineage.getCheckpoint({ size: wanted }, PATIENT);
    process.stdout.write(noteOf(found));
  });
}

/** `bourse ledger prove`: prints the proof of a movement or event. */
export function prove(id: string, { data, checkpoint: kept }: ProveOptions): Promise<void> {
  const wanted = kept === undefined ? 0n : BigInt(readCheckpoint(kept).size);
  return tellingRefusals(async () => {
    await using market = await openMarket(data);
    const proof = await findProof(market, id, wanted);
    const document = proofDocument({
      entry: proof.entry,
      index: proof.entryIndex,
      path: proof.entryPath,
      batch: proof.batch,
      batchPath: proof.batchPath,
      checkpoint: noteOf(proof.checkpoint),
    });
    console.log(JSON.stringify(document, undefined, 2));
  });
}

/** `bourse ledger prove-consistency`: prints the proof that leads from one checkpoint to another. */
export function proveConsistency(
  older: string,
  newer: string,
  { data }: Pick<ProveOptions, "data">,
): Promise<void> {
  const [from, to] = [readCheckpoint(older).size, readCheckpoint(newer).size];
  if (to === 0) throw new Failure(`${newer} is of an empty log: there is nothing to prove`);
  return tellingRefusals(async () => {
    await using market = await openMarket(data);
    const sizes = { fromSize: BigInt(from), toSize: BigInt(to) };
    const { path } = await market.lineage.getConsistencyProof(sizes, PATIENT);
    console.log(JSON.stringify(consistencyDocument({ from, to, path }), undefined, 2));
  });
}

/** `bourse ledger key`: prints what the signatures of the market on a data folder are checked with. */
export function key({ data }: Pick<ProveOptions, "data">): Promise<void> {
  return tellingRefusals(async () => {
    await using market = await openMarket(data);
    const { checkpoint: found } = await market.lineage.getCheckpoint({}, PATIENT);
    if (!isDataFolder(data)) throw new Failure(`there is no market in ${data}`);
    const { keyFile } = await generateKeys(openDataFolder(data).keys);
    const { kty, crv, x } = readJson(keyFile) as Readonly<Record<string, string>>;
    const publicKey = createPublicKey({ key: { kty, crv, x } as never, format: "jwk" });
    const told = verifierKey(found?.origin ?? "", publicKey);
    if (!isSignedBy(noteOf(found), told)) {
      throw new Failure(`the ledger does not sign with the key in ${keyFile}`);
    }
    console.log(told);
  });
}

/** A UUID names a movement, or an event that has one for its id. */
async function findProof({ lineage, ledger }: Market, id: string, size: bigint) {
  const ask = async (entry: GetProofRequest["entry"]) => {
    const { proof } = await lineage.getProof({ entry, size }, PATIENT);
    if (proof === undefined) throw new Failure("the ledger answered without a proof");
    return proof;
  };
  if (!UUID.test(id)) return ask({ case: "eventId", value: id });
  try {
    return await ask({ case: "movementId", value: id });
  } catch (error) {
    if (reasonOf(error) !== "ENTRY_NOT_FOUND") throw error;
    const { movements } = await ledger.getTransaction({ transactionId: id }).catch(() => ({
      movements: [],
    }));
    if (movements.length === 0) return ask({ case: "eventId", value: id });
    const ids = movements.map(
      ({ movementId, kind }) => `\n  ${movementId} ${nameOf(MovementKindSchema, kind)}`,
    );
    throw new Failure(`${id} is a transaction; prove one of its movements:${ids.join("")}`);
  }
}

function noteOf(checkpoint: Checkpoint | undefined): string {
  if (checkpoint === undefined) throw new Failure("the ledger answered without a checkpoint");
  return checkpoint.note;
}
