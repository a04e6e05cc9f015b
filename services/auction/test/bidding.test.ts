import { AwardPolicy } from "@bourse/proto/bourse/auction/v1/task_pb.ts";
import { AvailabilityState } from "@bourse/proto/bourse/registry/v1/agent_pb.ts";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { describe, expect, test } from "vitest";
import { MINUTE } from "./support/clock.ts";
import { worldForFile } from "./support/opened.ts";
import { refusal } from "./support/refusal.ts";
import { allTold, aSpec, type Caller, eur, postWithBids, stateOf, terms } from "./support/world.ts";

const { world, instance, operator } = await worldForFile();

const ILLEGAL = {
  price: eur(3_500_000n),
  latency: durationFromMs(40 * MINUTE),
  successRate: 0.92,
};

describe("a bid", () => {
  test("is taken with its score, and every part of it", async () => {
    const { taskId } = await postWithBids(world, instance, {});
    world.registry.put("quick");
    const quick = await instance.as("agent:quick");

    const { bid, task } = await quick.submitBid({ taskId, agentId: "quick", terms: terms() });

    expect(bid).toMatchObject({
      taskId,
      agentId: "quick",
      calibration: 0.92,
      scoreMicros: 574_000n,
      sequence: 1n,
      automatic: false,
      scoreParts: [
        { name: "cost", micros: 368_000n },
        { name: "latency", micros: 250_000n },
        { name: "success", micros: 40_000n },
        { name: "calibration", micros: -84_000n },
      ],
    });
    expect(task?.bidCount).toBe(1);
  });

  test("that breaks rules is told all of them, is kept as a refusal, and leaves nothing else", async () => {
    const { taskId, task } = await postWithBids(world, instance, {});
    world.registry.put("hasty");
    const hasty = await instance.as("agent:hasty");
    const request = { taskId, agentId: "hasty", terms: terms(ILLEGAL) };

    const refused = await refusal(hasty.submitBid({ requestId: "h-1", ...request }));
    await refusal(hasty.submitBid({ ...request, terms: terms({ successRate: 0.5 }) }));

    expect(refused).toMatchObject({
      code: "FailedPrecondition",
      reason: "COST_EXCEEDS_MAX",
      faults: ["COST_EXCEEDS_MAX", "LATENCY_EXCEEDS_MAX", "SUCCESS_RATE_BELOW_MIN"],
      fields: ["terms.price", "terms.latency", "terms.success_rate"],
    });
    const why = await operator.explainAward({ taskId });
    expect(why.ranking).toEqual([]);
    expect(why.refusals).toMatchObject([
      { agentId: "hasty", faults: [{ reason: "SUCCESS_RATE_BELOW_MIN" }] },
    ]);
    expect((await operator.getTask({ taskId })).task).toEqual(task);
    await allTold(world);
    const told = [...world.ledger.events.values()].filter((event) => event.taskId === taskId);
    expect(told.map((event) => event.type)).toEqual(["auction_created", "bid_refused"]);
    const retried = await hasty.submitBid({ requestId: "h-1", ...request, terms: terms() });
    expect(retried.bid?.agentId).toBe("hasty");
  });

  test("with the same request_id is answered with the first answer, at once or later", async () => {
    const { taskId } = await postWithBids(world, instance, {});
    world.registry.put("twice");
    const twice = await instance.as("agent:twice");
    const request = { requestId: "t-1", taskId, agentId: "twice", terms: terms() };

    const [first, second] = await Promise.all([twice.submitBid(request), twice.submitBid(request)]);
    const third = await twice.submitBid(request);

    expect(second).toEqual(first);
    expect(third).toEqual(first);
    expect((await operator.listBids({ taskId })).bids).toHaveLength(1);
  });

  test("beside an earlier one of the same agent is refused, also at once", async () => {
    const { taskId } = await postWithBids(world, instance, {});
    world.registry.put("again");
    const again = await instance.as("agent:again");
    const request = { taskId, agentId: "again", terms: terms() };

    const ends = await Promise.allSettled([again.submitBid(request), again.submitBid(request)]);

    expect(ends.map((end) => end.status).toSorted()).toEqual(["fulfilled", "rejected"]);
    expect(await refusal(again.submitBid(request))).toMatchObject({
      code: "AlreadyExists",
      reason: "ALREADY_BID",
    });
  });

  test("on paper is scored or refused, and nothing is kept", async () => {
    const { taskId, task } = await postWithBids(world, instance, {});
    world.registry.put("paper");
    const paper = await instance.as("agent:paper");
    const request = { taskId, agentId: "paper", validateOnly: true };

    const scored = await paper.submitBid({ ...request, terms: terms() });
    const refused = await refusal(paper.submitBid({ ...request, terms: terms(ILLEGAL) }));

    expect(scored.bid?.scoreMicros).toBe(574_000n);
    expect(refused.faults).toHaveLength(3);
    const why = await operator.explainAward({ taskId });
    expect([why.ranking, why.refusals, why.task]).toEqual([[], [], task]);
  });

  test("cannot be made in the name of another agent", async () => {
    const { taskId } = await postWithBids(world, instance, {});
    world.registry.put("victim");
    const thief = await instance.as("agent:thief");

    expect(
      await refusal(thief.submitBid({ taskId, agentId: "victim", terms: terms() })),
    ).toMatchObject({ code: "PermissionDenied", reason: "PERMISSION_DENIED" });
  });

  test("of an agent that has come a moment ago is taken, though the roster lags", async () => {
    const { taskId } = await postWithBids(world, instance, {});
    world.registry.setLagging(true);
    world.registry.put("newcomer");
    world.registry.setLagging(false);
    const newcomer = await instance.as("agent:newcomer");

    const { bid } = await newcomer.submitBid({ taskId, agentId: "newcomer", terms: terms() });

    expect(bid?.sequence).toBe(1n);
  });

  test("of an agent that nobody can vouch for now is not refused for good", async () => {
    const { taskId } = await postWithBids(world, instance, {});
    const ghost = await instance.as("agent:ghost");
    const request = { taskId, agentId: "ghost", terms: terms() };

    world.registry.setAway(true);
    const away = await refusal(ghost.submitBid(request));
    world.registry.setAway(false);

    expect(away).toMatchObject({ code: "Unavailable", reason: "REGISTRY_UNAVAILABLE" });
    expect((await refusal(ghost.submitBid(request))).reason).toBe("AGENT_NOT_REGISTERED");
  });

  test("is refused when the agent has as many tasks in hand as it takes, until one ends", async () => {
    const full = { busy: { price: eur(1_000_000n) } };
    const first = await postWithBids(world, instance, full);
    world.registry.put("busy", { maxConcurrent: 1, state: AvailabilityState.BUSY });
    const second = await postWithBids(world, instance, {});
    const bid = () =>
      first.agents["busy"]?.submitBid({ taskId: second.taskId, agentId: "busy", terms: terms() });

    await first.buyer.awardTask({ taskId: first.taskId });
    const refused = await refusal(bid() ?? Promise.reject());
    await first.buyer.completeTask({ taskId: first.taskId, success: true });

    expect(refused).toMatchObject({ code: "ResourceExhausted", reason: "CAPACITY_EXHAUSTED" });
    expect((await bid())?.bid?.agentId).toBe("busy");
  });

  test("of each of thirty agents at once is counted once, in one order", async () => {
    const { taskId } = await postWithBids(world, instance, {});
    const ids = Array.from({ length: 30 }, (_, nth) => `crowd-${nth}`);
    for (const agentId of ids) world.registry.put(agentId);

    await Promise.all(
      ids.map((agentId) => operator.submitBid({ taskId, agentId, terms: terms() })),
    );

    const { bids } = await operator.listBids({ taskId });
    const sequences = bids.map((bid) => Number(bid.sequence));
    expect(sequences).toEqual(ids.map((_, nth) => nth + 1));
    expect((await operator.getTask({ taskId })).task?.bidCount).toBe(30);
  });
});

describe("where the first qualified bid wins", () => {
  const wish = { awardPolicy: AwardPolicy.FIRST_QUALIFIED };

  test("exactly one of many at once does, and is paid", async () => {
    const { taskId } = await postWithBids(world, instance, {}, wish);
    const ids = Array.from({ length: 10 }, (_, nth) => `racer-${nth}`);
    for (const agentId of ids) world.registry.put(agentId);

    const ends = await Promise.allSettled(
      ids.map((agentId) => operator.submitBid({ taskId, agentId, terms: terms() })),
    );

    const won = ends.filter((end) => end.status === "fulfilled");
    expect(won.map((end) => stateOf(end.value.task))).toEqual(["AWARDED"]);
    expect((await operator.listBids({ taskId })).bids).toHaveLength(1);
  });

  test("a bid that nobody can pay ends the task", async () => {
    const poor = await instance.as("agent:poor");
    const { task } = await poor.postTask({ requester: "poor", spec: aSpec(wish) });
    world.registry.put("hopeful");

    const answer = await operator.submitBid({
      taskId: task?.taskId ?? "",
      agentId: "hopeful",
      terms: terms(),
    });

    expect(stateOf(answer.task)).toBe("EXPIRED");
  });
});

describe("bids are sealed until the award", () => {
  test("for all but the requester, who wins included", async () => {
    const { taskId, buyer, agents } = await postWithBids(world, instance, {
      "sealed-a": {},
      "sealed-b": { price: eur(2_000_000n) },
    });
    const bidder = agents["sealed-a"] as Caller;
    const seen = async (caller: Caller) =>
      (await caller.listBids({ taskId })).bids.map((bid) => bid.agentId);

    expect(await seen(bidder)).toEqual(["sealed-a"]);
    expect(await seen(buyer)).toEqual(["sealed-b", "sealed-a"]);
    expect(await refusal(bidder.explainAward({ taskId }))).toMatchObject({
      code: "PermissionDenied",
      reason: "BIDS_SEALED",
    });
    world.ledger.setRoad("closed");
    await refusal(buyer.awardTask({ taskId }));
    const hidden = await bidder.getTask({ taskId });
    const shown = await buyer.getTask({ taskId });
    world.ledger.setRoad("open");
    await buyer.awardTask({ taskId });

    expect([stateOf(hidden.task), hidden.task?.award]).toEqual(["AWARDING", undefined]);
    expect(shown.task?.award?.agentId).toBe("sealed-b");
    expect(await seen(bidder)).toEqual(["sealed-b", "sealed-a"]);
    const why = await bidder.explainAward({ taskId });
    expect(why.awards).toMatchObject([{ agentId: "sealed-b", epoch: 1n }]);
    expect(why.marginMicros).toBe(48_000n);
  });
});

describe("an agent that declines", () => {
  test("is noted once, with its first words, until it bids", async () => {
    const { taskId } = await postWithBids(world, instance, {});
    world.registry.put("shy");
    const shy = await instance.as("agent:shy");

    const first = await shy.declineToBid({ taskId, agentId: "shy", reason: "too much work" });
    world.clock.advance(1_000);
    const second = await shy.declineToBid({ taskId, agentId: "shy", reason: "changed my mind" });
    const noted = await operator.explainAward({ taskId });
    await shy.submitBid({ taskId, agentId: "shy", terms: terms() });

    expect(second).toEqual(first);
    expect(noted.declines).toMatchObject([{ agentId: "shy", reason: "too much work" }]);
    expect((await operator.explainAward({ taskId })).declines).toEqual([]);
    expect(await refusal(shy.declineToBid({ taskId, agentId: "shy" }))).toMatchObject({
      reason: "ALREADY_BID",
    });
  });

  test("of what is not open is refused", async () => {
    const { taskId, buyer } = await postWithBids(world, instance, {});
    await buyer.cancelTask({ taskId });

    expect(await refusal(operator.declineToBid({ taskId, agentId: "shy" }))).toMatchObject({
      reason: "TASK_NOT_OPEN",
    });
  });
});

describe("an auction on paper", () => {
  test("ranks and refuses as a real one would, and changes nothing", async () => {
    world.registry.put("quick");
    world.registry.put("cheap");
    const bids = [
      { agentId: "quick", terms: terms() },
      { agentId: "cheap", terms: terms({ price: eur(2_400_000n) }) },
      { agentId: "quick", terms: terms() },
      { agentId: "buyer", terms: terms(ILLEGAL) },
    ];

    const paper = await operator.simulateAuction({ requester: "buyer", spec: aSpec(), bids });

    expect(paper.ranking.map((bid) => [bid.agentId, bid.scoreMicros])).toEqual([
      ["quick", 574_000n],
      ["cheap", 590_000n],
    ]);
    expect(
      paper.refusals.map(({ agentId, faults }) => [agentId, faults.map((each) => each.reason)]),
    ).toEqual([
      ["quick", ["ALREADY_BID"]],
      [
        "buyer",
        [
          "AGENT_NOT_REGISTERED",
          "SELF_BID",
          "COST_EXCEEDS_MAX",
          "LATENCY_EXCEEDS_MAX",
          "SUCCESS_RATE_BELOW_MIN",
        ],
      ],
    ]);
    expect([paper.price?.micros, paper.marginMicros]).toEqual([2_300_000n, 16_000n]);
  });

  test("takes the profile of an agent that is not there", async () => {
    const profile = { capabilities: [" ISO_Construction "] };
    const bids = [{ agentId: "imagined", terms: terms(), profile }];

    const paper = await operator.simulateAuction({ requester: "buyer", spec: aSpec(), bids });

    expect(paper.ranking).toMatchObject([{ agentId: "imagined", calibration: 1 }]);
  });

  test("of an evaluator who is the requester is refused", async () => {
    const spec = aSpec({ evaluator: "buyer" });

    expect(await refusal(operator.simulateAuction({ requester: "buyer", spec }))).toMatchObject({
      reason: "EVALUATOR_IS_REQUESTER",
    });
  });
});
