import { Rejection } from "@bourse/rpc/rejection";
import { describe, expect, test } from "vitest";
import { noEligibleAgents } from "../src/selection.ts";
import { type NoPlace, type Place, pickWithSlot } from "../src/slot.ts";

/** Agents in the order in which they are picked, with what they answer who asks for a place. */
function aMarket(answers: Readonly<Record<string, "place" | NoPlace>>) {
  const ids = Object.keys(answers);
  const asked: string[] = [];
  const released: string[] = [];
  const gone = new AbortController();
  let made = 0;
  const parts = {
    places: {
      async acquire(agentId: string, slotId: string): Promise<Place | NoPlace> {
        asked.push(agentId);
        const answer = answers[agentId] ?? "full";
        return answer === "place" ? { agentId, slotId, expireAt: new Date(0) } : answer;
      },
      release: (agentId: string, slotId: string) => void released.push(`${agentId} ${slotId}`),
    },
    newId: () => `slot-${++made}`,
    async pick(excluded: ReadonlySet<string>) {
      const eligible = ids.filter((id) => !excluded.has(id));
      const [agentId] = eligible;
      if (agentId === undefined) {
        throw noEligibleAgents({ total: ids.length + 1, excluded: excluded.size, unpriced: 1 });
      }
      return { agentId, eligibleCount: eligible.length, isEstimate: false };
    },
    total: () => ids.length + 1,
    signal: gone.signal,
  };
  return { parts, asked, released, leave: () => gone.abort(new Error("left")) };
}

async function refusalOf(call: Promise<unknown>): Promise<unknown> {
  const error = await call.catch((thrown: unknown) => thrown);
  if (!(error instanceof Rejection)) throw new Error(`no refusal: ${String(error)}`);
  return { reason: error.reason, ...error.metadata };
}

const NOBODY = new Set<string>();

describe("a pick with a place", () => {
  test("is of the first pick that has one", async () => {
    const { parts, asked } = aMarket({ a: "full", b: "not_available", c: "place", d: "place" });

    const { picked, place } = await pickWithSlot(parts, NOBODY);

    expect(asked).toEqual(["a", "b", "c"]);
    expect(picked.agentId).toBe("c");
    expect(place).toMatchObject({ agentId: "c", slotId: "slot-3" });
  });

  test("leaves out whom the caller excludes", async () => {
    const { parts, asked } = aMarket({ a: "place", b: "place" });

    await pickWithSlot(parts, new Set(["a"]));

    expect(asked).toEqual(["b"]);
  });

  test("is refused with NO_ELIGIBLE_AGENTS, with counts of who had no place, when nobody has one", async () => {
    const { parts } = aMarket({
      a: "full",
      b: "not_available",
      c: "full",
      d: "place",
      e: "share_taken",
    });

    expect(await refusalOf(pickWithSlot(parts, new Set(["d"])))).toEqual({
      reason: "NO_ELIGIBLE_AGENTS",
      total: "6",
      excluded: "1",
      unpriced: "1",
      share_taken: "1",
      full: "2",
      not_available: "1",
    });
  });

  test("is refused as it would be without a place when nobody passes the filter", async () => {
    const { parts } = aMarket({});

    expect(await refusalOf(pickWithSlot(parts, NOBODY))).toEqual({
      reason: "NO_ELIGIBLE_AGENTS",
      total: "1",
      excluded: "0",
      unpriced: "1",
    });
  });

  test("asks ten agents at most, and says how many it did not ask", async () => {
    const many = Array.from({ length: 12 }, (_, n) => [`agent-${n}`, "full" as const] as const);
    const { parts, asked } = aMarket(Object.fromEntries(many));

    const refusal = await refusalOf(pickWithSlot(parts, NOBODY));

    expect(asked).toHaveLength(10);
    expect(refusal).toMatchObject({ reason: "NO_ELIGIBLE_AGENTS", full: "10", untried: "2" });
  });

  test("passes over whose places cannot be read", async () => {
    const { parts } = aMarket({ a: "away", b: "full", c: "place" });

    expect((await pickWithSlot(parts, NOBODY)).picked.agentId).toBe("c");
  });

  test.each<{ title: string; answers: readonly NoPlace[]; asks: number }>([
    {
      title: "of one it cannot be read and nobody else has one",
      answers: ["full", "away"],
      asks: 2,
    },
    { title: "it cannot be read of five", answers: Array(7).fill("away"), asks: 5 },
    { title: "ten were asked", answers: ["away", ...Array(11).fill("full")], asks: 10 },
  ])("is refused with SLOTS_UNAVAILABLE when $title", async ({ answers, asks }) => {
    const { parts, asked } = aMarket(Object.fromEntries(answers.map((one, n) => [`a-${n}`, one])));

    expect(await refusalOf(pickWithSlot(parts, NOBODY))).toEqual({ reason: "SLOTS_UNAVAILABLE" });
    expect(asked).toHaveLength(asks);
  });

  test("gives its place back when the caller has left meanwhile", async () => {
    const { parts, released, leave } = aMarket({ a: "place" });

    const call = pickWithSlot(parts, NOBODY);
    leave();

    await expect(call).rejects.toThrow("left");
    expect(released).toEqual(["a slot-1"]);
  });
});
