import { expect, test } from "vitest";
import { confirmAward } from "../src/award.ts";
import { writeFollowUps } from "../src/codec/message.ts";
import { accept, lapse } from "../src/completion.ts";
import { deliver } from "../src/delivery.ts";
import { aDelivery, anAwardedTask, BIDS } from "./support/builders.ts";
import { MINUTE, noonPlus } from "./support/clock.ts";

test("the money, credits and outcome of one award wait for no other's", () => {
  const late = lapse(anAwardedTask(), BIDS, noonPlus(60 * MINUTE));
  const next = confirmAward(late.task, noonPlus(61 * MINUTE)).task;
  const agentId = next.awards.at(-1)?.agentId ?? "";
  const delivery = aDelivery({ agentId, epoch: 2n });
  const delivered = deliver(next, delivery, noonPlus(62 * MINUTE));
  const paid = accept(delivered.task, "", noonPlus(63 * MINUTE));

  const keys = writeFollowUps(late.task.taskId, [
    ...late.followUps,
    ...delivered.followUps,
    ...paid.followUps,
  ])
    .filter((message) => message.kind !== "lineage")
    .map((message) => `${message.kind} ${message.key}`);

  expect(keys.map((key) => key.split(" ")[0])).toEqual([
    ...["cancel", "credits", "outcome"],
    ...["deliver", "settle", "credits", "outcome"],
  ]);
  // What was delivered is told before it is paid.
  expect(new Set(keys.map((key) => key.split(" ")[1])).size).toBe(6);
});
