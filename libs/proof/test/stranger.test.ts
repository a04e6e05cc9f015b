import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import type { JsonObject } from "../src/index.ts";
import { aLog } from "./log.ts";

const CHECKER = join(import.meta.dirname, "../../../examples/check_proof.py");
const python = spawnSync("python3", ["--version"]).status === 0;

const folder = mkdtempSync(join(tmpdir(), "bourse-proof-"));
afterAll(() => rmSync(folder, { recursive: true }));

const journal = Array.from({ length: 11 }, (_, batch) =>
  Array.from({ length: (batch % 5) + 1 }, (_, nth) => ({ id: `${batch}-${nth}`, note: "très 好" })),
);
const log = aLog(journal);

describe.skipIf(!python)("a checker that shares no code with the market", () => {
  test("finds every entry proved", () => {
    for (const [batch, entries] of journal.entries()) {
      const index = entries.length - 1;
      const { status, stdout } = check(log.prove(batch, index));
      expect(stdout).toContain(`"id": "${batch}-${index}"`);
      expect(status).toBe(0);
    }
  });

  test("compares with a checkpoint of the reader's own", () => {
    expect(check(log.prove(3, 1, 7), log.checkpoint(7)).status).toBe(0);
    expect(check(log.prove(3, 1, 7), log.checkpoint(8))).toMatchObject({
      status: 1,
      stderr: "NOT PROVED: the proof is made for another checkpoint than the one you gave\n",
    });
  });

  const proof = log.prove(4, 2);
  test.each<[string, JsonObject, number]>([
    ["a changed entry", { ...proof, entry: String(proof["entry"]).replace("4-2", "4-1") }, 1],
    ["an entry at another place", { ...proof, entry_index: 3 }, 1],
    ["a changed batch", { ...proof, batch: String(proof["batch"]).replace("2026", "2025") }, 1],
    ["a path cut short", { ...proof, batch_path: [] }, 1],
    ["another state of the log", { ...proof, checkpoint: aLog(journal.slice(1)).checkpoint() }, 1],
    ["a document without a path", { ...proof, entry_path: null }, 2],
  ])("does not find %s proved", (_what, forged, status) => {
    expect(check(forged)).toMatchObject({ status, stdout: "" });
  });
});

function check(proof: JsonObject, checkpoint?: string) {
  const file = join(folder, "proof.json");
  writeFileSync(file, JSON.stringify(proof));
  const trusted = join(folder, "checkpoint.txt");
  if (checkpoint !== undefined) writeFileSync(trusted, checkpoint);
  const told = checkpoint === undefined ? [file] : [file, trusted];
  return spawnSync("python3", [CHECKER, ...told], { encoding: "utf8" });
}
