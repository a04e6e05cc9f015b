import { createHash, randomUUID } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Connection } from "@bourse/client";
import { type Task, TaskState } from "@bourse/proto/bourse/auction/v1/task_pb.ts";
import type { Erasure } from "@bourse/proto/bourse/registry/v1/registry_service_pb.ts";
import { reasonOf } from "@bourse/rpc";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { accountOf, allTold, proveBooks } from "../support/books.ts";
import { bourse } from "../support/command.ts";
import { whereStands } from "../support/dump.ts";
import { type Actor, startTestMarket, type TestMarket } from "../support/market.ts";
import { eur } from "../support/money.ts";
import { aTask, award, bid, look, post, terms } from "../support/task.ts";

const HOUR_MS = 3_600_000;

let market: TestMarket;

beforeAll(async () => {
  market = await startTestMarket({ durable: true });
});
afterAll(() => market?.[Symbol.asyncDispose]());

/** What was said in the story, and by whom or for whom. */
const ADAS = {
  name: "Augusta Ada King",
  description: "weaves algebraical patterns",
  endpoint: "grpc://ada.example:443",
  notes: "bills on paper",
  label: "countess",
  output: "note G, in full",
  reference: "https://ada.example/note-g",
  evidence: "it was delivered on time",
  decline: "too much by hand",
  evaluation: "a fine piece of work",
};
const BABBAGES = { payload: "numbers of Bernoulli, please", ruling: "settled amicably" };

/** A subject that has done everything one can do, for and against `babbage`. */
async function aPast(ada: Actor, babbage: Actor, rival: Actor): Promise<Task> {
  const spec = aTask({ payload: { text: BABBAGES.payload } });
  const won = await post(babbage, spec);
  await bid(ada, won);
  await bid(rival, won, terms({ price: eur(2.4) }));
  const { award: made } = await award(babbage, won);
  await ada.auction.submitResult({
    taskId: won.taskId,
    agentId: ada.id,
    awardEpoch: made?.epoch ?? 0n,
    result: { output: { text: ADAS.output }, reference: ADAS.reference, sha256: "ab".repeat(32) },
  });
  await babbage.auction.acceptResult({ taskId: won.taskId, evaluation: ADAS.evaluation });
  const transactionId = made?.transactionId ?? "";
  await vi.waitFor(async () =>
    expect(
      (await babbage.ledger.getTransaction({ transactionId })).transaction?.settleTime,
    ).toBeDefined(),
  );
  await ada.ledger.flagDispute({ transactionId, evidence: [{ note: ADAS.evidence }] });
  await market.operator.ledger.resolveDispute({
    transactionId,
    providerShareBps: 10_000,
    reason: BABBAGES.ruling,
  });

  const lost = await post(babbage, spec);
  await ada.auction.declineToBid({ taskId: lost.taskId, agentId: ada.id, reason: ADAS.decline });
  const shy = await post(babbage, spec);
  const tooMuch = { taskId: shy.taskId, agentId: ada.id, terms: terms({ price: eur(9) }) };
  await ada.auction.submitBid(tooMuch).catch(() => {});
  await bid(ada, shy);
  for (const { taskId } of [lost, shy]) await babbage.auction.cancelTask({ taskId });

  const own = await ada.auction.postTask({
    requester: ada.id,
    spec: aTask({ evaluator: rival.id }),
  });
  await ada.auction.cancelTask({ taskId: own.task?.taskId ?? "" });
  return won;
}

async function register(ada: Actor): Promise<void> {
  await ada.registry.registerAgent({
    agentId: ada.id,
    lease: { seconds: 60n },
    profile: {
      displayName: ADAS.name,
      description: ADAS.description,
      endpoint: { uri: ADAS.endpoint, protocol: "grpc" },
      capabilities: ["iso_construction"],
      pricing: { costPerTask: eur(2), billingNotes: ADAS.notes },
      metadata: { title: ADAS.label },
    },
  });
  await market.operator.registry.adjustReputation({
    agentId: ada.id,
    delta: 1,
    reason: ADAS.description,
  });
}

async function erasureOf({ erasureId = "" }: Partial<Erasure>): Promise<Erasure> {
  return (await market.operator.registry.getErasure({ erasureId })).erasure as Erasure;
}

async function emptyPurse(owner: string): Promise<void> {
  const micros = (await accountOf(market, owner, "EUR"))?.availableMicros ?? 0n;
  const amount = { micros, currencyCode: "EUR" };
  await market.operator.ledger.withdraw({ withdrawalId: randomUUID(), owner, amount });
}

/** Until everyone's channels have found services that began anew: one that was refused tries again seconds later. */
async function reach({ taskId, award }: Task, callers: readonly Connection[]): Promise<void> {
  const { transactionId = "" } = award ?? {};
  for (const { auction, ledger } of callers) {
    await vi.waitFor(() => auction.getTask({ taskId }));
    await vi.waitFor(() => ledger.getTransaction({ transactionId }));
  }
}

async function waitUntilErased(begun: Partial<Erasure>): Promise<void> {
  const options = { timeout: 90_000, interval: 100 };
  await vi.waitFor(
    async () => expect((await erasureOf(begun)).completeTime).toBeDefined(),
    options,
  );
  await allTold(market, 60_000);
}

describe("an agent that is erased", () => {
  test("is nowhere any more, and everything that others rely on still holds", async () => {
    const ada = await market.stranger("ada-lovelace");
    const babbage = await market.buyer("charles-babbage");
    const rival = await market.agent("rival");
    await register(ada);
    const won = await aPast(ada, babbage, rival);
    await allTold(market, 30_000);
    const adas = [ada.id, ...Object.values(ADAS)];
    const babbages = [babbage.id, ...Object.values(BABBAGES)];
    for (const text of [...adas, ...babbages]) {
      expect(await whereStands(market.pool, [text])).not.toEqual([]);
    }
    const before = await look(babbage, won);

    // No service need be up: the registry asks again until each has done its part.
    market.market.kill("auction");
    market.market.kill("ledger");
    const { erasure } = await market.operator.registry.eraseAgent({ agentId: ada.id });
    const begun = erasure as Erasure;
    await market.market.serving();
    await reach(before, [market.operator, market.auditor, babbage]);
    await vi.waitFor(
      async () => {
        const { steps } = await erasureOf(begun);
        expect(steps.find(({ service }) => service === "ledger")).toMatchObject({
          reason: "ACCOUNT_NOT_EMPTY",
          metadata: { currency: "EUR" },
        });
      },
      { timeout: 60_000, interval: 100 },
    );
    await emptyPurse(ada.id);
    await waitUntilErased(begun);

    expect(await whereStands(market.pool, adas)).toEqual([]);
    await proveBooks(market);
    const { alias } = begun;
    const after = await look(babbage, won);
    expect(after).toMatchObject({
      state: TaskState.SUCCEEDED,
      award: { ...before.award, agentId: alias },
      outcome: before.outcome,
      result: { sha256: "ab".repeat(32) },
    });
    const { ranking } = await babbage.auction.explainAward({ taskId: won.taskId });
    expect(ranking.map((each) => each.agentId)).toEqual([alias, rival.id]);
    const { transactions } = await babbage.ledger.listTransactions({ agentId: babbage.id });
    expect(transactions.map((each) => each.provider)).toEqual([alias]);
    const { agents } = await market.operator.discovery.searchAgents({});
    expect(agents.map(({ agentId }) => agentId)).not.toContain(ada.id);
    const back = await register(ada).catch((error: unknown) => reasonOf(error));
    expect(back).toBe("AGENT_ERASED");
    const { events } = await market.auditor.lineage.queryEvents({ subject: ada.id });
    expect(events).toEqual([]);

    // A requester that never registered, and what was posted and delivered for it.
    await emptyPurse(babbage.id);
    const second = await market.operator.registry.eraseAgent({ agentId: babbage.id });
    await waitUntilErased(second.erasure ?? {});
    expect(await whereStands(market.pool, [...adas, ...babbages])).toEqual([]);
    await proveBooks(market);
    const told = await market.auditor.lineage.queryEvents({
      types: ["erasure_requested", "agent_erased"],
      startTime: { seconds: BigInt(Math.floor((Date.now() - HOUR_MS) / 1_000)) },
    });
    expect(told.events).toHaveLength(4);
    expect(told.events.flatMap(({ subjects }) => Object.keys(subjects))).toEqual([]);

    // The auditor's report counts it, and names nobody.
    const file = join(market.market.folder.root, "ropa.html");
    const asked = ["--format", "html", "--out", file, "--data", market.market.folder.root];
    const { exitCode, stdout, stderr } = await bourse("ledger", "report", ...asked);
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
    const page = await readFile(file, "utf8");
    expect(stdout).toContain(createHash("sha256").update(page).digest("hex"));
    expect(page).toContain("2 asked for and 2 completed");
    expect(page).not.toContain("Not described yet");
    for (const text of [...adas, ...babbages]) expect(page).not.toContain(text);
  }, 300_000);
});
