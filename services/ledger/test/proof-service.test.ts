import { createPrivateKey, randomUUIDv7 } from "node:crypto";
import { readFile } from "node:fs/promises";
import {
  checkConsistency,
  checkProof,
  consistencyDocument,
  type JsonObject,
  proofDocument,
  verifierKey,
} from "@bourse/proof";
import type { EntryProof } from "@bourse/proto/bourse/ledger/v1/lineage_service_pb.ts";
import { metadataOf, reasonOf } from "@bourse/rpc";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { refusalOf } from "./calls.ts";
import { startLedger, type TestLedger } from "./server.ts";

let market: TestLedger;
beforeAll(async () => {
  market = await startLedger();
});
afterAll(async () => {
  await market[Symbol.asyncDispose]();
});

/** A payment of `payer` that came as a movement, by its id. */
async function aDeposit(payer: string): Promise<string> {
  const { ledger } = market.as("operator");
  const amount = { micros: 5_000n, currencyCode: "EUR" };
  await ledger.deposit({ depositId: randomUUIDv7(), owner: payer, amount });
  const { rows } = await market.database.pool.query<{ id: string }>(
    "select id from movements order by batch desc, nth desc limit 1",
  );
  return rows[0]?.id ?? "";
}

/** The document that a stranger is given. */
function documentOf(proof: EntryProof | undefined): JsonObject {
  if (proof === undefined) throw new Error("no proof came");
  return proofDocument({
    entry: proof.entry,
    index: proof.entryIndex,
    path: proof.entryPath,
    batch: proof.batch,
    batchPath: proof.batchPath,
    checkpoint: proof.checkpoint?.note ?? "",
  });
}

async function keyOf(origin: string): Promise<string> {
  const jwk = JSON.parse(await readFile(market.keyFile, "utf8"));
  return verifierKey(origin, createPrivateKey({ key: jwk, format: "jwk" }));
}

describe("proofs over gRPC", () => {
  test("of a movement are checked offline, against a signed checkpoint", async () => {
    const movementId = await aDeposit("ann");
    const { lineage } = market.as("agent:ann");

    const { proof } = await lineage.getProof({ entry: { case: "movementId", value: movementId } });
    const key = await keyOf(proof?.checkpoint?.origin ?? "");

    expect(checkProof(documentOf(proof), { key })).toMatchObject({
      ok: true,
      entry: { movement_id: movementId, amount: "5000", kind: "TRANSFER" },
    });
  });

  test("of an event by its id and by its sequence are the same", async () => {
    const eventTime = timestampFromDate(new Date());
    const event = { eventId: "e/1", type: "task_awarded", eventTime, subjects: { winner: "bob" } };
    await market.as("service:auction").lineage.appendEvents({ events: [event] });
    const { lineage } = market.as("auditor");

    const byId = await lineage.getProof({ entry: { case: "eventId", value: "e/1" } });
    const bySequence = await lineage.getProof({ entry: { case: "eventSequence", value: 1n } });

    expect(checkProof(documentOf(byId.proof))).toMatchObject({
      ok: true,
      entry: { event_id: "e/1", sequence: "1", source: "auction" },
    });
    expect(bySequence).toEqual(byId);
  });

  test("of consistency lead from a checkpoint that was kept to the newest", async () => {
    await aDeposit("ann");
    const { lineage } = market.as("agent:ann");
    const { checkpoint: kept } = await lineage.getCheckpoint({});
    await aDeposit("ann");

    const { path, checkpoint } = await lineage.getConsistencyProof({ fromSize: kept?.size ?? 0n });
    const document = consistencyDocument({
      from: Number(kept?.size),
      to: Number(checkpoint?.size),
      path,
    });

    expect(checkConsistency(kept?.note ?? "", checkpoint?.note ?? "", document)).toMatchObject({
      ok: true,
      newer: { size: Number(checkpoint?.size) },
    });
    expect(await lineage.getCheckpoint({ size: kept?.size ?? 0n })).toEqual({
      $typeName: "bourse.ledger.v1.GetCheckpointResponse",
      checkpoint: kept,
    });
  });

  test("are not given to agents that have no part in the entry", async () => {
    const value = await aDeposit("ann");
    const asked = market.as("agent:eve").lineage.getProof({ entry: { case: "movementId", value } });

    await expect(asked).rejects.toSatisfy((error) => reasonOf(error) === "ENTRY_NOT_FOUND");
  });

  test("of another's entry are refused for the entry, also of a log longer than it is", async () => {
    const value = await aDeposit("ann");
    const request = {
      entry: { case: "movementId", value },
      size: 9_223_372_036_854_775_807n,
    } as const;
    const stranger = await refusalOf(market.as("agent:eve").lineage.getProof(request));
    const party = await refusalOf(market.as("agent:ann").lineage.getProof(request));

    expect(stranger.reason).toBe("ENTRY_NOT_FOUND");
    expect(party.reason).toBe("LOG_SIZE_OUT_OF_RANGE");
  });

  test.each([0n, 9_223_372_036_854_775_807n])(
    "of a log longer than it is are refused with its size (size %s)",
    async (more) => {
      const { lineage } = market.as("auditor");
      const { checkpoint } = await lineage.getCheckpoint({});
      const size = more === 0n ? (checkpoint?.size ?? 0n) + 1n : more;
      const error: unknown = await lineage.getCheckpoint({ size }).catch((thrown) => thrown);

      expect(reasonOf(error)).toBe("LOG_SIZE_OUT_OF_RANGE");
      expect(metadataOf(error)).toMatchObject({ size: String(checkpoint?.size) });
    },
  );

  test.each([
    ["no entry", { entry: { case: undefined } }],
    ["no UUID", { entry: { case: "movementId", value: "m-1" } }],
    ["sequence 0", { entry: { case: "eventSequence", value: 0n } }],
    ["a size below zero", { entry: { case: "eventSequence", value: 1n }, size: -1n }],
  ] as const)("of %s are refused as INVALID_REQUEST", async (_what, request) => {
    const asked = market.as("auditor").lineage.getProof(request);

    await expect(asked).rejects.toSatisfy((error) => reasonOf(error) === "INVALID_REQUEST");
  });

  test("are given to nobody without a token", async () => {
    await expect(market.as().lineage.getCheckpoint({})).rejects.toSatisfy(
      (error) => reasonOf(error) === "UNAUTHENTICATED",
    );
  });
});
