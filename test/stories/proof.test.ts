import { spawnSync } from "node:child_process";
import { randomUUID } from "node:crypto";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { timestampNow } from "@bufbuild/protobuf/wkt";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { bourse, startBourse } from "../support/command.ts";
import { startTestMarket, type TestMarket } from "../support/market.ts";
import { eur } from "../support/money.ts";

describe("an auditor who trusts nobody", () => {
  let house: TestMarket;
  let auction: Awaited<ReturnType<TestMarket["as"]>>;
  let folder: string;
  let transactionId: string;
  let movementId: string;
  /** A checkpoint, and the proof of the movement in it. */
  let checkpoint: string;
  let proof: string;

  beforeAll(async () => {
    house = await startTestMarket();
    folder = await mkdtemp(join(tmpdir(), "bourse-audit-"));
    const buyer = await house.buyer("buyer");
    transactionId = randomUUID();
    auction = await house.as("service:auction");
    await auction.ledger.recordTransaction({
      transactionId,
      payer: buyer.id,
      provider: "worker",
      capability: "translate",
      amount: eur(2.3),
    });
    const { movements } = await house.auditor.ledger.getTransaction({ transactionId });
    movementId = movements[0]?.movementId ?? "";
    await happen("t-1");
    checkpoint = await kept("checkpoint.txt", "checkpoint");
    proof = await kept("proof.json", "prove", movementId, "--checkpoint", checkpoint);
  });
  afterAll(async () => {
    await house?.[Symbol.asyncDispose]();
    await rm(folder, { recursive: true, force: true });
  });

  /** Writes one more batch of the journal. */
  const happen = (taskId: string) =>
    auction.lineage.appendEvents({
      events: [
        { eventId: `task_awarded/${taskId}`, type: "task_awarded", eventTime: timestampNow() },
      ],
    });
  /** Runs `bourse ledger ...` on the market. */
  const ledger = (...parameters: readonly string[]) =>
    bourse("ledger", ...parameters, "--data", house.market.folder.root);
  /** Runs it without a market to ask. */
  const offline = (...parameters: readonly string[]) => bourse("ledger", ...parameters);
  /** Keeps what a command printed in a file. */
  async function kept(name: string, ...parameters: readonly string[]): Promise<string> {
    const { exitCode, stdout, stderr } = await ledger(...parameters);
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
    const file = join(folder, name);
    await writeFile(file, stdout);
    return file;
  }

  test("is told that books and journal hold", async () => {
    const { exitCode, stdout } = await ledger("verify");

    expect(stdout).toMatch(/the books hold\n\d+ entries of the journal:\n.*as it was written\n$/);
    expect(exitCode).toBe(0);
  });

  test("finds each movement in the partition of its month", async () => {
    const { rows } = await house.pool.query<{ partition: string }>(
      `select distinct tableoid::regclass as partition from ledger.movement_pages
       union select distinct tableoid::regclass from ledger.movement_rows`,
    );

    const months = rows.map(({ partition }) =>
      partition.replace(/^ledger\.movement_(pages|rows)_/, ""),
    );
    const month = new Date().toISOString().slice(0, 7).replace("-", "_");
    expect([...new Set(months)]).toEqual([month]);
  });

  test("checks a proof offline, against a checkpoint of their own", async () => {
    const checked = await offline("check-proof", proof, "--checkpoint", checkpoint);

    expect(checked).toMatchObject({ exitCode: 0, stderr: "" });
    expect(checked.stdout).toContain(`"movement_id": "${movementId}"`);
    expect(checked.stdout).toContain("proved: it stands in batch");
  });

  test("checks it with a program that is not ours", ({ skip }) => {
    skip(spawnSync("python3", ["--version"]).status !== 0, "no python3");
    const checker = join(import.meta.dirname, "../../examples/check_proof.py");
    const { status, stdout } = spawnSync("python3", [checker, proof, checkpoint], {
      encoding: "utf8",
    });

    expect(stdout).toContain(`"movement_id": "${movementId}"`);
    expect(status).toBe(0);
  });

  test("checks that of an event, by the signature of the market's key", async () => {
    const { stdout: key } = await ledger("key");
    const signed = await kept("event.json", "prove", "task_awarded/t-1");
    const text = await readFile(signed, "utf8");
    const forged = join(folder, "forged.json");
    await writeFile(forged, text.replace(/(— bourse-ledger\/[^ ]+ )..../, "$1AAAA"));

    expect((await offline("check-proof", signed, "--key", key.trim())).exitCode).toBe(0);
    expect(await offline("check-proof", forged, "--key", key.trim())).toMatchObject({
      exitCode: 1,
      stderr: "not proved: the checkpoint is not signed by the given key (step SIGNATURE)\n",
    });
  });

  test("finds a proof that was touched wrong, with the step", async () => {
    const touched = join(folder, "touched.json");
    await writeFile(touched, (await readFile(proof, "utf8")).replace("2300000", "2300001"));

    expect(await offline("check-proof", touched)).toMatchObject({
      exitCode: 1,
      stderr: expect.stringContaining("(step BATCH)"),
    });
  });

  test("sees that nothing was rewritten between two checkpoints", async () => {
    const older = await kept("older.txt", "checkpoint", "--size", "1");
    const path = await kept("consistency.json", "prove-consistency", older, checkpoint);

    const checked = await offline("check-consistency", older, checkpoint, path);

    expect(checked).toMatchObject({ exitCode: 0, stderr: "" });
    expect(checked.stdout).toMatch(/^consistent: the log of 1 batches is the beginning of/);
  });

  test("keeps checkpoints as a witness, each the continuation of the one before", async () => {
    const kept = join(folder, "kept");
    const { stdout: key } = await ledger("key");
    const watch = () => ledger("witness", kept, "--key", key.trim());

    const first = await watch();
    const again = await watch();
    await happen("t-2");
    const second = await watch();

    expect(first).toMatchObject({
      exitCode: 0,
      stdout: expect.stringMatching(/^kept .*batches\n$/),
    });
    expect(again).toMatchObject({ exitCode: 0, stdout: expect.stringMatching(/^nothing new/) });
    expect(second).toMatchObject({
      exitCode: 0,
      stdout: expect.stringContaining("which continue"),
    });
    expect(await readdir(kept)).toHaveLength(2);
  });

  test("goes on to keep them until it is stopped, for as long as that is asked for", async () => {
    const kept = join(folder, "kept-on");
    const data = ["--data", house.market.folder.root];
    const running = startBourse("ledger", "witness", kept, "--every", "1", ...data);
    await expect.poll(() => running.output()).toMatch(/kept .*batches\n/);

    await happen("t-3");
    await expect.poll(() => running.output()).toContain("which continue");
    running.process.kill("SIGINT");

    expect(await running.ended).toMatchObject({ exitCode: 0, stderr: "" });
    expect(await readdir(kept)).toHaveLength(2);
  });

  test.each([
    ["says something else of the same batches", 0],
    ["says something else of the batches before", 1],
    ["has lost batches", -1],
  ])("is told as a witness when the ledger %s, and has both in writing", async (_case, more) => {
    const kept = await mkdtemp(join(folder, "witness-"));
    const { stdout: told } = await ledger("checkpoint");
    const [origin = "", size = "", root = ""] = told.split("\n");
    const other = more < 0 ? root : `${root.startsWith("A") ? "B" : "A"}${root.slice(1)}`;
    const before = `${Number(size) - Math.min(more, 0)}.txt`;
    await writeFile(join(kept, before), `${origin}\n${parseInt(before, 10)}\n${other}\n`);
    if (more > 0) await happen(randomUUID());

    const { exitCode, stderr } = await ledger("witness", kept);

    expect(exitCode).toBe(1);
    expect(stderr).toContain(`kept before: ${join(kept, before)}`);
    expect(await readdir(kept)).toEqual([
      before,
      expect.stringMatching(/^contradiction-\d+\.txt$/),
    ]);
  });

  test.each([
    [["prove", "nothing/here"], "bourse: ENTRY_NOT_FOUND: there is no such movement or event\n"],
    [["checkpoint", "--size", "few"], "bourse: --size takes a number of batches\n"],
    [["check-proof", "/nowhere.json"], expect.stringContaining("/nowhere.json cannot be read")],
  ])("is told in a sentence why %j cannot be", async (parameters, stderr) => {
    const run = parameters[0] === "check-proof" ? offline : ledger;

    expect(await run(...parameters)).toMatchObject({ exitCode: 1, stdout: "", stderr });
  });

  test("who names a transaction is told its movements", async () => {
    const { exitCode, stderr } = await ledger("prove", transactionId);

    expect(exitCode).toBe(1);
    expect(stderr).toContain(`is a transaction; prove one of its movements:\n  ${movementId} HOLD`);
  });

  // Last, since nothing holds any more.
  test("is told by name of a movement that was changed behind the ledger's back", async () => {
    await house.pool.query(`
      begin;
      set local session_replication_role = replica;
      update ledger.movement_rows set amount = amount + 1 where id = '${movementId}';
      update ledger.movement_pages set movements = array(
        select row(debit, credit, case id when '${movementId}' then amount + 1 else amount end, kind,
          id, transaction_id, hold_id, transfer, nth, hash)::ledger.payment_movement
        from unnest(movements) order by nth
      );
      commit`);

    const lines = await ledger("verify");
    const document = await ledger("verify", "--json");

    expect([lines.exitCode, document.exitCode]).toEqual([1, 1]);
    expect(lines.stdout).toContain("the books do not hold");
    expect(lines.stdout).toContain(`${movementId} is not as it was written`);
    expect(JSON.parse(document.stdout)).toMatchObject({
      ok: false,
      journal: { ok: false, broken: { fault: "ENTRY_CHANGED", entry: movementId } },
    });
  });
});
