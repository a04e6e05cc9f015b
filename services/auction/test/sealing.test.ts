import { expect, test } from "vitest";
import { MINUTE } from "./support/clock.ts";
import { worldForEachTest } from "./support/opened.ts";
import { refusal } from "./support/refusal.ts";
import {
  type Caller,
  eur,
  type Instance,
  postWithBids,
  stateOf,
  until,
  type World,
} from "./support/world.ts";

let world: World;
let instance: Instance;

worldForEachTest((opened) => {
  ({ world, instance } = opened);
});

const TWO = { first: { price: eur(2_000_000n) }, second: {} };
const RESULT = { reference: "https://work.example/1" };

test("a delivery tells no bidder that its award is in the making", async () => {
  const { buyer, taskId, agents } = await postWithBids(world, instance, TWO);
  world.ledger.setRoad("closed");
  await refusal(buyer.awardTask({ taskId }));

  for (const agentId of ["first", "second"]) {
    const agent = agents[agentId] as Caller;
    const call = agent.submitResult({ taskId, agentId, awardEpoch: 1n, result: RESULT });
    expect(await refusal(call)).toMatchObject({ reason: "NOT_WINNER" });
  }
});

test("an explanation tells only those who may know of the award in the making", async () => {
  const { buyer, taskId, agents } = await postWithBids(world, instance, TWO);
  await buyer.awardTask({ taskId });
  world.ledger.setRoad("closed");
  world.clock.advance(31 * MINUTE);
  await until(buyer, taskId, "AWARDING");
  const winners = async (caller: Caller) =>
    (await caller.explainAward({ taskId })).awards.map((award) => award.agentId);

  expect(await winners(agents["second"] as Caller)).toEqual(["first"]);
  expect(await winners(buyer)).toEqual(["first", "second"]);
});

test("an id of a hold that another has taken ends the award and not the market's patience", async () => {
  const { buyer, taskId } = await postWithBids(world, instance, TWO);
  world.ledger.setRoad("closed");
  await refusal(buyer.awardTask({ taskId }));
  const { task } = await buyer.getTask({ taskId });
  const transactionId = task?.award?.transactionId ?? "";
  world.ledger.holds.set(transactionId, {
    payer: "squatter EUR",
    provider: "first",
    micros: 1n,
    state: 1,
  });
  world.ledger.setRoad("open");
  world.clock.advance(5 * MINUTE);

  await until(buyer, taskId, "OPEN");
  const again = await buyer.awardTask({ taskId });

  expect(stateOf(again.task)).toBe("AWARDED");
  expect(again.task?.award?.transactionId).not.toBe(transactionId);
});
