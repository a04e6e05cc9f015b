import { AwardPolicy, EndReason, PaymentRule } from "@bourse/proto/bourse/auction/v1/task_pb.ts";
import { durationFromMs, timestampFromDate } from "@bufbuild/protobuf/wkt";
import { describe, expect, test } from "vitest";
import { HOUR, MINUTE, noonPlus, SECOND } from "./support/clock.ts";
import { startLedger } from "./support/ledger.ts";
import { worldForEachTest } from "./support/opened.ts";
import { refusal } from "./support/refusal.ts";
import {
  allTold,
  aSpec,
  type Caller,
  eur,
  type Instance,
  postWithBids,
  stateOf,
  terms,
  until,
  type World,
} from "./support/world.ts";

let world: World;
let instance: Instance;
let operator: Caller;

worldForEachTest((opened) => {
  ({ world, instance, operator } = opened);
});

const TWO = { quick: {}, cheap: { price: eur(2_000_000n) } };

describe("an award by hand", () => {
  test("holds the price, tells the winner, and starts its time", async () => {
    const { buyer, taskId } = await postWithBids(world, instance, TWO);

    const { task, winningBid } = await buyer.awardTask({ taskId });

    expect(stateOf(task)).toBe("AWARDED");
    expect(task?.award).toMatchObject({
      epoch: 1n,
      agentId: "cheap",
      bidId: winningBid?.bidId,
      price: eur(2_000_000n),
      awardTime: timestampFromDate(world.clock.now()),
      deadline: timestampFromDate(noonPlus(30 * MINUTE)),
    });
    expect(world.ledger.held()).toBe(2_000_000n);
    expect(world.ledger.available("buyer")).toBe(98_000_000n);
    expect(world.ledger.holds.get(task?.award?.transactionId ?? "")).toMatchObject({
      provider: "cheap",
    });
  });

  test("tells the ledger what was promised, and keeps the price beyond deadline and review", async () => {
    const wish = { reviewWindow: durationFromMs(24 * HOUR) };
    const { buyer, taskId } = await postWithBids(world, instance, TWO, wish);

    const { task } = await buyer.awardTask({ taskId });

    const hold = world.ledger.holds.get(task?.award?.transactionId ?? "");
    const week = 7 * 24 * HOUR;
    expect(hold).toMatchObject({
      holdTimeout: durationFromMs(30 * MINUTE + 24 * HOUR + week),
      delivery: {
        within: durationFromMs(25 * MINUTE),
        sha256: "",
        reviewWindow: durationFromMs(24 * HOUR + week),
      },
    });
  });

  test("pays the second score where the task says so", async () => {
    const wish = { paymentRule: PaymentRule.SECOND_SCORE };
    const { buyer, taskId } = await postWithBids(world, instance, TWO, wish);

    const { task } = await buyer.awardTask({ taskId });

    expect(task?.award?.price).toMatchObject(eur(2_300_000n));
  });

  test("asked for many times at once is made once", async () => {
    const { buyer, taskId } = await postWithBids(world, instance, TWO);
    const second = await (await world.start()).as("operator");

    const answers = await Promise.all(
      [buyer, second, buyer, second, operator].map((caller) => caller.awardTask({ taskId })),
    );

    expect(new Set(answers.map((answer) => answer.task?.award?.transactionId)).size).toBe(1);
    expect(answers.map((answer) => stateOf(answer.task))).toEqual(Array(5).fill("AWARDED"));
    expect(world.ledger.held()).toBe(2_000_000n);
    await allTold(world);
    const awards = [...world.ledger.events.keys()].filter((id) => id.startsWith("task_awarded"));
    expect(awards).toEqual([`task_awarded/${taskId}/1`]);
  });

  test("is only the requester's to make, and needs a bid", async () => {
    const { buyer, taskId } = await postWithBids(world, instance, {});
    const other = await instance.as("agent:other");

    expect(await refusal(other.awardTask({ taskId }))).toMatchObject({
      code: "PermissionDenied",
      reason: "NOT_REQUESTER",
    });
    expect(await refusal(buyer.awardTask({ taskId }))).toMatchObject({ reason: "NO_BIDS" });
    expect(stateOf((await buyer.getTask({ taskId })).task)).toBe("OPEN");
  });

  test("without money is refused and leaves the task open; with money it is made anew", async () => {
    const poor = await instance.as("agent:poor");
    const { task } = await poor.postTask({ requester: "poor", spec: aSpec() });
    const taskId = task?.taskId ?? "";
    world.registry.put("quick");
    await operator.submitBid({ taskId, agentId: "quick", terms: terms() });

    const [first, second] = await Promise.all([
      refusal(poor.awardTask({ taskId })),
      refusal(poor.awardTask({ taskId })),
    ]);
    const open = await poor.getTask({ taskId });
    world.ledger.fund("poor", 5_000_000n);
    const awarded = await poor.awardTask({ taskId });

    expect(first).toMatchObject({ code: "FailedPrecondition", reason: "INSUFFICIENT_FUNDS" });
    expect(second.reason).toBe("INSUFFICIENT_FUNDS");
    expect(stateOf(open.task)).toBe("OPEN");
    expect(open.task?.award).toBeUndefined();
    expect(awarded.task?.award?.epoch).toBeGreaterThan(1n);
    expect(world.ledger.held()).toBe(2_300_000n);
  });

  test("whose refusal was lost on the way is refused when it is asked for again", async () => {
    const { buyer, taskId } = await postWithBids(world, instance, TWO);
    world.ledger.fund("buyer", -100_000_000n);
    world.ledger.setRoad("one-way");

    const lost = await refusal(buyer.awardTask({ taskId }));
    world.ledger.setRoad("open");
    world.ledger.fund("buyer", 100_000_000n);
    const burnt = await refusal(buyer.awardTask({ taskId }));
    const awarded = await buyer.awardTask({ taskId });

    expect([lost.reason, burnt.reason]).toEqual(["LEDGER_UNAVAILABLE", "INSUFFICIENT_FUNDS"]);
    expect(awarded.task?.award?.epoch).toBe(2n);
  });

  test("of a hold that was cancelled over its head is none", async () => {
    const { buyer, taskId } = await postWithBids(world, instance, TWO);
    world.ledger.setRoad("one-way");
    await refusal(buyer.awardTask({ taskId }));
    for (const transactionId of world.ledger.holds.keys()) world.ledger.cancel(transactionId);
    world.ledger.setRoad("open");

    expect(await refusal(buyer.awardTask({ taskId }))).toMatchObject({
      reason: "INSUFFICIENT_FUNDS",
    });
  });

  test("of a task that has ended is refused", async () => {
    const { buyer, taskId } = await postWithBids(world, instance, TWO);
    await buyer.cancelTask({ taskId });

    expect(await refusal(buyer.awardTask({ taskId }))).toMatchObject({
      reason: "INVALID_TASK_STATE",
      metadata: { state: "CANCELLED" },
    });
  });
});

describe("an award while the ledger is away", () => {
  test.each(["closed", "one-way"] as const)(
    "on a %s road is made when it is back",
    async (road) => {
      const { buyer, taskId } = await postWithBids(world, instance, TWO);
      world.ledger.setRoad(road);

      const refused = await refusal(buyer.awardTask({ taskId }));
      const waiting = await buyer.getTask({ taskId });
      world.ledger.setRoad("open");
      world.clock.advance(20 * SECOND);
      const awarded = await until(buyer, taskId, "AWARDED");

      expect(refused).toMatchObject({ code: "Unavailable", reason: "LEDGER_UNAVAILABLE" });
      expect(stateOf(waiting.task)).toBe("AWARDING");
      expect(awarded.award).toMatchObject({ epoch: 1n, agentId: "cheap" });
      expect(world.ledger.held()).toBe(2_000_000n);
    },
  );

  test("is made by another process when the one that began it is gone", async () => {
    const { buyer, taskId } = await postWithBids(world, instance, TWO);
    world.ledger.setRoad("one-way");
    await refusal(buyer.awardTask({ taskId }));
    await instance[Symbol.asyncDispose]();
    world.ledger.setRoad("open");
    world.clock.advance(20 * SECOND);

    const heir = await (await world.start()).as("agent:buyer");

    expect((await until(heir, taskId, "AWARDED")).award?.epoch).toBe(1n);
    expect(world.ledger.held()).toBe(2_000_000n);
  });

  test("takes a first qualified bid all the same", async () => {
    world.ledger.fund("buyer", 5_000_000n);
    const buyer = await instance.as("agent:buyer");
    const spec = aSpec({ awardPolicy: AwardPolicy.FIRST_QUALIFIED });
    const { task } = await buyer.postTask({ requester: "buyer", spec });
    const request = {
      requestId: "b",
      taskId: task?.taskId ?? "",
      agentId: "quick",
      terms: terms(),
    };
    world.registry.put("quick");
    const quick = await instance.as("agent:quick");

    world.ledger.setRoad("closed");
    const first = await quick.submitBid(request);
    world.ledger.setRoad("open");
    const again = await quick.submitBid(request);

    expect(stateOf(first.task)).toBe("AWARDING");
    expect(stateOf(again.task)).toBe("AWARDED");
    expect(again.bid).toEqual(first.bid);
  });
});

describe("a process that dies between two steps", () => {
  test("with the price held but the award not written leaves it to another", async () => {
    const { buyer, taskId } = await postWithBids(world, instance, TWO);
    await world.pool.query(
      `create function die() returns trigger language plpgsql as $$
       begin raise exception 'died'; end $$`,
    );
    await world.pool.query(
      `create trigger die before update on tasks for each row
       when (old.state = 'AWARDING' and new.state = 'AWARDED') execute function die()`,
    );

    const crashed = await refusal(buyer.awardTask({ taskId }));
    const heldBefore = world.ledger.held();
    await instance[Symbol.asyncDispose]();
    await world.pool.query("drop trigger die on tasks");
    world.clock.advance(20 * SECOND);
    const heir = await (await world.start()).as("agent:buyer");
    await until(heir, taskId, "AWARDED");

    expect(crashed).toMatchObject({ code: "Internal" });
    expect(heldBefore).toBe(2_000_000n);
    expect(world.ledger.held()).toBe(2_000_000n);
    expect(world.ledger.holds.size).toBe(1);
  });

  test("of a judgement leaves what follows to another, which tells it once", async () => {
    const { buyer, taskId } = await postWithBids(world, instance, TWO);
    await buyer.awardTask({ taskId });
    await allTold(world);
    world.ledger.setRoad("one-way");
    await buyer.completeTask({ taskId, success: true });
    await expect.poll(() => world.ledger.calls).toContain("settle");
    await instance[Symbol.asyncDispose]();
    world.ledger.setRoad("open");
    world.clock.advance(HOUR);

    await world.start();
    await allTold(world);

    expect(world.ledger.earned("cheap")).toBe(2_000_000n);
    expect(world.ledger.held()).toBe(0n);
    expect([...world.ledger.credits.keys()]).toEqual([`credits:${taskId}:1`]);
    expect([...world.registry.outcomes.keys()]).toEqual([`${taskId}/1`]);
  });
});

describe("bidding that closes", () => {
  const wish = { awardPolicy: AwardPolicy.ON_CLOSE };

  test("awards the task by itself, at the instant", async () => {
    const { buyer, taskId } = await postWithBids(world, instance, TWO, wish);

    world.clock.advance(HOUR);
    const awarded = await until(buyer, taskId, "AWARDED");

    expect(awarded.award?.agentId).toBe("cheap");
    expect(
      await refusal(operator.submitBid({ taskId, agentId: "late", terms: terms() })),
    ).toMatchObject({ reason: "TASK_NOT_OPEN" });
  });

  test("while no process was up is made good at the next start", async () => {
    const { taskId } = await postWithBids(world, instance, TWO, wish);
    const empty = await postWithBids(world, instance, {}, wish);
    const manual = await postWithBids(world, instance, { third: {} });
    await instance[Symbol.asyncDispose]();
    world.clock.advance(5 * HOUR);

    const buyer = await (await world.start()).as("agent:buyer");

    expect((await until(buyer, taskId, "AWARDED")).award?.deadline).toMatchObject(
      timestampFromDate(noonPlus(5 * HOUR + 30 * MINUTE)),
    );
    expect((await until(buyer, empty.taskId, "EXPIRED")).endReason).toBe(EndReason.NO_BIDS);
    expect((await until(buyer, manual.taskId, "EXPIRED")).endReason).toBe(EndReason.NOT_AWARDED);
  });

  test("on a bid that nobody can pay ends the task", async () => {
    const poor = await instance.as("agent:poor");
    const { task } = await poor.postTask({ requester: "poor", spec: aSpec(wish) });
    world.registry.put("quick");
    await operator.submitBid({ taskId: task?.taskId ?? "", agentId: "quick", terms: terms() });

    world.clock.advance(HOUR);
    const ended = await until(poor, task?.taskId ?? "", "EXPIRED");

    expect(ended.endReason).toBe(EndReason.NO_FUNDS);
    expect(ended.award).toBeUndefined();
  });

  test("on forty tasks is done once each by three processes at once", async () => {
    const quick = { quick: {} };
    const posted = [];
    for (let nth = 0; nth < 40; nth++) {
      posted.push(await postWithBids(world, instance, nth % 4 === 0 ? {} : quick, wish));
      world.registry.put("quick", { maxConcurrent: 1_000 });
    }
    await Promise.all([world.start(), world.start()]);

    world.clock.advance(HOUR);
    for (const [nth, { taskId }] of posted.entries()) {
      await until(operator, taskId, nth % 4 === 0 ? "EXPIRED" : "AWARDED");
    }
    await allTold(world);

    expect(world.ledger.held()).toBe(30n * 2_300_000n);
    expect(world.ledger.holds.size).toBe(30);
    const awarded = [...world.ledger.events.values()].filter((e) => e.type === "task_awarded");
    expect(awarded).toHaveLength(30);
  });
});

describe("two processes of which one has lost the ledger", () => {
  test("get an award made by the other", async () => {
    const lost = startLedger();
    lost.setRoad("closed");
    const { taskId } = await postWithBids(world, instance, TWO);
    const cutOff = await (await world.start({ ledger: lost })).as("agent:buyer");

    const refused = await refusal(cutOff.awardTask({ taskId }));
    // Both take turns, and one is always in vain.
    const look = async () => {
      world.clock.advance(10 * SECOND);
      return stateOf((await operator.getTask({ taskId })).task);
    };
    await expect.poll(look).toBe("AWARDED");

    expect(refused.reason).toBe("LEDGER_UNAVAILABLE");
    expect(world.ledger.held()).toBe(2_000_000n);
  });
});
