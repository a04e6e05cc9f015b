import { withTransaction } from "@bourse/postgres";
import { describe, expect, test } from "vitest";
import { eraseFromTask } from "../src/erasure.ts";
import { anOpenTask } from "./support/builders.ts";
import { MINUTE } from "./support/clock.ts";
import { worldForFile } from "./support/opened.ts";
import { refusal } from "./support/refusal.ts";
import { allTold, aSpec, postWithBids, stateOf } from "./support/world.ts";

const ALIAS = "erased-000102030405060708090a0b";
const SECRET = "a word to no one else";

const { world, instance, operator } = await worldForFile();
const registry = await instance.as("service:registry");

let made = 0;

/** A task of `requester`, won by `winner` against `rival`, delivered and accepted with words. */
async function aFinishedTask(wish: Parameters<typeof aSpec>[0] = {}) {
  made += 1;
  const [winner, rival] = [`winner-${made}`, `rival-${made}`];
  const { buyer, taskId, agents } = await postWithBids(
    world,
    instance,
    { [winner]: {}, [rival]: { successRate: 0.96 } },
    { payload: { text: SECRET }, ...wish },
  );
  const shy = await instance.as(`agent:shy-${made}`);
  await shy.declineToBid({ taskId, agentId: `shy-${made}`, reason: SECRET });
  await buyer.awardTask({ taskId });
  await agents[winner]?.submitResult({
    taskId,
    agentId: winner,
    awardEpoch: 1n,
    result: { output: { text: SECRET }, reference: "https://a.example/x", sha256: "ab".repeat(32) },
  });
  return { taskId, winner, rival, shy: `shy-${made}`, buyer };
}

/** Every row of every table of the auction, but for those named so, as one text, bytes as they are. */
async function dump(besides = ""): Promise<string> {
  const { rows: tables } = await world.pool.query<{ name: string }>(
    `select tablename as name
     from pg_tables
     where schemaname = 'auction' and tablename not like $1
     order by 1`,
    [besides],
  );
  let text = "";
  for (const { name } of tables) {
    const { rows } = await world.pool.query<Record<string, unknown>>(`select * from ${name}`);
    for (const value of rows.flatMap((row) => Object.values(row))) {
      text += Buffer.isBuffer(value) ? value.toString("latin1") : JSON.stringify(value);
    }
  }
  return text;
}

describe("EraseAgent", () => {
  test("of a winner puts the alias in its place everywhere, and its words away", async () => {
    const { taskId, winner, buyer } = await aFinishedTask();
    await buyer.acceptResult({ taskId, evaluation: `${winner} did well` });
    await allTold(world);
    const { task: before } = await operator.getTask({ taskId });
    const { bids: bidsBefore } = await operator.listBids({ taskId });

    await registry.eraseAgent({ agentId: winner, alias: ALIAS });
    await registry.eraseAgent({ agentId: winner, alias: ALIAS });

    const { task } = await operator.getTask({ taskId });
    expect(task).toMatchObject({
      award: { ...before?.award, agentId: ALIAS },
      result: { reference: "", sha256: "ab".repeat(32) },
      evaluation: "",
      spec: { payload: { text: SECRET } },
      outcome: before?.outcome,
      updateTime: before?.updateTime,
    });
    expect(task?.result?.output).toBeUndefined();
    const { bids } = await operator.listBids({ taskId });
    expect(bids).toEqual(
      bidsBefore.map((bid) => (bid.agentId === winner ? { ...bid, agentId: ALIAS } : bid)),
    );
    expect((await operator.listTasks({ winner: ALIAS })).tasks).toHaveLength(1);
    expect(await dump()).not.toContain(winner);
  });

  test("of one that declined, or was refused, leaves nothing of it", async () => {
    const { taskId, shy, rival, buyer } = await aFinishedTask();
    await refusal(
      (await instance.as("agent:nobody")).submitBid({
        requestId: "n",
        taskId,
        agentId: "nobody",
        terms: {},
      }),
    );
    await buyer.acceptResult({ taskId });
    await allTold(world);

    for (const agentId of [shy, rival, "nobody"]) {
      await registry.eraseAgent({ agentId, alias: ALIAS.replace("00", "ff") });
    }

    const text = await dump();
    for (const agentId of [shy, rival, "nobody"]) expect(text).not.toContain(agentId);
  });

  test("of a requester takes the payload and what was delivered for it", async () => {
    const { taskId, buyer } = await aFinishedTask();
    await buyer.acceptResult({ taskId, evaluation: SECRET });
    const own = await instance.as("agent:erika");
    await own.postTask({
      requestId: "e-1",
      requester: "erika",
      spec: aSpec({ payload: { text: "x1y2z3" } }),
    });
    const { tasks } = await operator.listTasks({ requester: "erika" });
    await own.cancelTask({ taskId: tasks[0]?.taskId ?? "" });
    await allTold(world);
    expect(await dump()).toContain("x1y2z3");

    await registry.eraseAgent({ agentId: "erika", alias: ALIAS });

    const { task } = await operator.getTask({ taskId: tasks[0]?.taskId ?? "" });
    expect(task).toMatchObject({ requester: ALIAS, spec: { taskType: "iso_construction" } });
    expect(await dump()).not.toMatch(/erika|x1y2z3/);
  });

  test.each([
    ["has asked for a task", "requester"],
    ["has a bid on one", "rival"],
    ["is at work on one", "winner"],
  ] as const)("is refused while the agent %s, and changes nothing", async (_case, part) => {
    const { taskId, winner, rival } = await aFinishedTask();
    const agentId = { requester: "buyer", winner, rival }[part];
    await allTold(world);
    const before = await dump("outbox%");

    const refused = await refusal(registry.eraseAgent({ agentId, alias: ALIAS }));

    expect(refused).toMatchObject({ reason: "AGENT_HAS_LIVE_TASKS" });
    expect(await dump("outbox%")).toBe(before);
    await operator.acceptResult({ taskId });
  });

  test("is refused while something that names the agent is not told yet", async () => {
    const { taskId, winner } = await aFinishedTask();
    await allTold(world);
    world.ledger.setRoad("closed");
    await operator.acceptResult({ taskId });

    const refused = await refusal(registry.eraseAgent({ agentId: winner, alias: ALIAS }));

    expect(refused).toMatchObject({ reason: "AGENT_HAS_UNTOLD_MESSAGES" });
    world.ledger.setRoad("open");
    world.clock.advance(MINUTE);
    await allTold(world);
    await registry.eraseAgent({ agentId: winner, alias: ALIAS });
    expect(stateOf((await operator.getTask({ taskId })).task)).toBe("SUCCEEDED");
  });

  test("lets nothing else write behind an end, and itself only names and texts", async () => {
    const { taskId } = await aFinishedTask();
    await operator.acceptResult({ taskId });
    const erasing = withTransaction(world.pool, async (tx) => {
      await tx.query("set local auction.erasing = 'on'");
      await tx.query("update tasks set bid_count = 7 where id = $1", [taskId]);
    });

    await expect(erasing).rejects.toThrow("has ended");
    await expect(
      world.pool.query("update tasks set requester = 'x' where id = $1", [taskId]),
    ).rejects.toThrow("has ended");
  });

  test.each(["operator", "agent:winner-1", "service:ledger"])(
    "is not for %s",
    async (principal) => {
      const caller = await instance.as(principal);

      const refused = await refusal(caller.eraseAgent({ agentId: "x", alias: ALIAS }));

      expect(refused).toMatchObject({ reason: "PERMISSION_DENIED" });
    },
  );
});

describe("a task without an agent", () => {
  test("keeps what it holds of others", () => {
    const task = anOpenTask({ payload: '{"a":1}', evaluator: "judge" });

    expect(eraseFromTask(task, "stranger", ALIAS)).toEqual(task);
    expect(eraseFromTask(task, "judge", ALIAS)).toEqual({
      ...task,
      spec: { ...task.spec, evaluator: ALIAS },
    });
    expect(eraseFromTask(task, "buyer", ALIAS)).toEqual({
      ...task,
      requester: ALIAS,
      spec: { ...task.spec, payload: undefined },
    });
  });
});
