import { generateKeyPairSync } from "node:crypto";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  checkConsistency,
  checkProof,
  type JsonObject,
  parseCheckpoint,
  signCheckpoint,
  verifierKey,
} from "../src/index.ts";
import { aLog } from "./log.ts";

const journal = [
  [{ amount: "2300000", kind: "HOLD", movement_id: "m-1" }],
  [
    { amount: "2300000", kind: "POST", movement_id: "m-2" },
    { event_id: "e-1", payload: { note: "très bien — 好" }, type: "task_completed" },
    { event_id: "e-2", payload: null, type: "task_judged" },
  ],
  [{ amount: "5", kind: "TRANSFER", movement_id: "m-3" }],
];
const log = aLog(journal);

describe("a proof of an entry", () => {
  test("tells the entry, its batch and the checkpoint", () => {
    expect(checkProof(log.prove(1, 1))).toEqual({
      ok: true,
      entry: journal[1]?.[1],
      batch: expect.objectContaining({
        sequence: 2,
        entries: 3,
        recordedAt: "2026-11-21T00:00:00.001Z",
      }),
      checkpoint: parseCheckpoint(log.checkpoint()),
    });
  });

  test("holds for every entry at every size that has its batch", () => {
    for (let size = 1; size <= journal.length; size += 1) {
      for (const [batch, entries] of journal.slice(0, size).entries()) {
        for (const [index, entry] of entries.entries()) {
          expect(checkProof(log.prove(batch, index, size))).toMatchObject({ ok: true, entry });
        }
      }
    }
  });

  test("survives being written and read as JSON", () => {
    const text = JSON.stringify(log.prove(1, 1), undefined, 2);

    expect(checkProof(JSON.parse(text))).toMatchObject({ ok: true });
  });

  const proof = log.prove(1, 1);
  const entry = String(proof["entry"]);
  const batch = String(proof["batch"]);
  const other = "0".repeat(64);
  test.each<[string, JsonObject, string]>([
    ["of another format", { ...proof, format: "bourse-ledger-proof/2" }, "FORM"],
    ["without a member", without(proof, "batch_path"), "FORM"],
    ["with a hash that is none", { ...proof, entry_path: ["00"] }, "FORM"],
    ["with a hash in capitals", { ...proof, entry_path: ["A".repeat(64)] }, "FORM"],
    ["with a place below zero", { ...proof, entry_index: -1 }, "FORM"],
    ["whose checkpoint has no root", { ...proof, checkpoint: "log.example/1\n3\n" }, "CHECKPOINT"],
    ["whose checkpoint is no text", { ...proof, checkpoint: 3 }, "FORM"],
    ["whose entry is no JSON", { ...proof, entry: `${entry},` }, "ENTRY"],
    ["whose entry is written in another way", { ...proof, entry: `${entry} ` }, "ENTRY"],
    [
      "that names a member twice",
      { ...proof, entry: entry.replace("{", '{"a":1,"a":2,') },
      "ENTRY",
    ],
    ["of a changed entry", { ...proof, entry: entry.replace("bien", "mal") }, "BATCH"],
    ["of an entry at another place", { ...proof, entry_index: 0 }, "BATCH"],
    ["with another path in the batch", { ...proof, entry_path: [other, other] }, "BATCH"],
    ["of a batch without a sequence", { ...proof, batch: batch.replace('"2"', "2") }, "BATCH"],
    ["of a batch with another root", { ...proof, batch: withRoot(batch, other) }, "BATCH"],
    ["of a batch at another time", { ...proof, batch: batch.replace(".001Z", ".002Z") }, "LOG"],
    ["of a batch at another place", { ...proof, batch: batch.replace('"2"', '"3"') }, "LOG"],
    ["of a batch behind the end", { ...proof, batch: batch.replace('"2"', '"4"') }, "LOG"],
    ["with another path in the log", { ...proof, batch_path: [other, other] }, "LOG"],
    [
      "of another state of the log",
      { ...proof, checkpoint: aLog(journal.slice(1)).checkpoint() },
      "LOG",
    ],
  ])("%s fails", (_what, forged, step) => {
    expect(checkProof(forged)).toMatchObject({ ok: false, step });
  });

  test.each([[undefined], [null], ["proof"], [[]], [7]])("that is %o has no form", (document) => {
    expect(checkProof(document)).toMatchObject({ ok: false, step: "FORM" });
  });

  test("with any character of it changed fails", () => {
    const texts = ["entry", "batch"] as const;
    fc.assert(
      fc.property(
        fc.constantFrom(...texts),
        fc.nat(),
        fc.string({ maxLength: 1 }),
        (name, nth, by) => {
          const text = String(proof[name]);
          const at = nth % text.length;
          fc.pre(text[at] !== by);
          const forged = { ...proof, [name]: text.slice(0, at) + by + text.slice(at + 1) };

          expect(checkProof(forged)).toMatchObject({ ok: false });
        },
      ),
    );
  });
});

describe("what a reader trusts", () => {
  const { privateKey } = generateKeyPairSync("ed25519");
  const signed = (origin = "log.example/1") =>
    signCheckpoint({ ...parseCheckpoint(log.checkpoint()), origin }, privateKey);
  const key = verifierKey("log.example/1", privateKey);

  test("is a checkpoint from elsewhere, which must be the proof's own", () => {
    const proof = log.prove(0, 0, 2);

    expect(checkProof(proof, { checkpoint: log.checkpoint(2) })).toMatchObject({ ok: true });
    expect(checkProof(proof, { checkpoint: log.checkpoint(3) })).toMatchObject({
      ok: false,
      step: "CHECKPOINT",
      problem: "the proof is made for another checkpoint (sizes: 2 of the proof, 3 of yours)",
    });
  });

  test("is the same checkpoint, signed or not", () => {
    expect(checkProof(log.prove(0, 0), { checkpoint: signed() })).toMatchObject({ ok: true });
  });

  test("is a key that signed the checkpoint", () => {
    const proof = { ...log.prove(0, 0), checkpoint: signed() };
    const unsigned = log.prove(0, 0);
    const another = verifierKey("log.example/1", generateKeyPairSync("ed25519").privateKey);

    expect(checkProof(proof, { key })).toMatchObject({ ok: true });
    expect(checkProof(proof, { key: another })).toMatchObject({ ok: false, step: "SIGNATURE" });
    expect(checkProof(unsigned, { key })).toMatchObject({ ok: false, step: "SIGNATURE" });
  });

  test("is not a signature in another name, nor one that was moved to another text", () => {
    const elsewhere = { ...log.prove(0, 0), checkpoint: signed("log.example/2") };
    const [, signature] = signed().split("\n\n");
    const moved = { ...log.prove(0, 0, 2), checkpoint: `${log.checkpoint(2)}\n${signature}` };

    expect(checkProof(elsewhere, { key })).toMatchObject({ ok: false, step: "SIGNATURE" });
    expect(checkProof(moved, { key })).toMatchObject({ ok: false, step: "SIGNATURE" });
  });

  test.each(["", "name", "log.example/1+00000000+AQ==", key.replace("+", "+0")])(
    "is not the key %j",
    (bad) => {
      const proof = { ...log.prove(0, 0), checkpoint: signed() };

      expect(checkProof(proof, { key: bad })).toMatchObject({ ok: false, step: "CHECKPOINT" });
    },
  );
});

describe("a proof of consistency", () => {
  test("holds between all sizes", () => {
    for (let to = 0; to <= journal.length; to += 1) {
      for (let from = 0; from <= to; from += 1) {
        const proof = log.proveConsistency(from, to);
        expect(checkConsistency(log.checkpoint(from), log.checkpoint(to), proof).ok).toBe(true);
      }
    }
  });

  const rewritten = aLog(journal.with(0, [{ amount: "1", kind: "HOLD", movement_id: "m-1" }]));
  const fork = rewritten.checkpoint(3);
  test.each<[string, string, string, JsonObject, string]>([
    ["with a rewritten history", log.checkpoint(2), fork, rewritten.proveConsistency(2, 3), "LOG"],
    [
      "of other sizes",
      log.checkpoint(1),
      log.checkpoint(3),
      log.proveConsistency(2, 3),
      "CHECKPOINT",
    ],
    [
      "the wrong way round",
      log.checkpoint(3),
      log.checkpoint(2),
      log.proveConsistency(2, 3),
      "CHECKPOINT",
    ],
    [
      "of two logs",
      aLog(journal, "other").checkpoint(2),
      log.checkpoint(3),
      log.proveConsistency(2, 3),
      "CHECKPOINT",
    ],
    ["of another kind", log.checkpoint(2), log.checkpoint(3), log.prove(0, 0), "FORM"],
    [
      "without its path",
      log.checkpoint(2),
      log.checkpoint(3),
      { ...log.proveConsistency(2, 3), path: [] },
      "LOG",
    ],
  ])("%s fails", (_what, older, newer, proof, step) => {
    expect(checkConsistency(older, newer, proof)).toMatchObject({ ok: false, step });
  });
});

function without(document: JsonObject, name: string): JsonObject {
  return Object.fromEntries(Object.entries(document).filter(([each]) => each !== name));
}

function withRoot(batch: string, root: string): string {
  return batch.replace(/"root":"[0-9a-f]+"/, `"root":"${root}"`);
}
