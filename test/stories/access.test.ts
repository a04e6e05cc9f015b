import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createSigner, generateKeys, readRule } from "@bourse/access";
import { AuctionService } from "@bourse/proto/bourse/auction/v1/auction_service_pb.ts";
import { DiscoveryService } from "@bourse/proto/bourse/discovery/v1/discovery_service_pb.ts";
import { LedgerService } from "@bourse/proto/bourse/ledger/v1/ledger_service_pb.ts";
import { LineageService } from "@bourse/proto/bourse/ledger/v1/lineage_service_pb.ts";
import { RegistryService } from "@bourse/proto/bourse/registry/v1/registry_service_pb.ts";
import { client, dial } from "@bourse/rpc";
import type { DescMethod } from "@bufbuild/protobuf";
import { MethodOptions_IdempotencyLevel as Level } from "@bufbuild/protobuf/wkt";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { allTold, dumpState } from "../support/books.ts";
import { type Actor, startTestMarket, type TestMarket } from "../support/market.ts";
import { refusal } from "../support/refusal.ts";
import { award, bid, post, terms } from "../support/task.ts";

const SERVICES = {
  registry: [RegistryService],
  auction: [AuctionService],
  ledger: [LedgerService, LineageService],
  discovery: [DiscoveryService],
} as const;

const METHODS = Object.entries(SERVICES).flatMap(([port, services]) =>
  services
    .flatMap((service): readonly DescMethod[] => service.methods)
    .map((method) => ({ port: port as keyof typeof SERVICES, name: method.name, method })),
);

/** Those that change something; SelectAgent moves a rotation on, and is there for everybody. */
const MUTATIONS = METHODS.filter(
  ({ name, method }) => method.idempotency !== Level.NO_SIDE_EFFECTS && name !== "SelectAgent",
);

let market: TestMarket;

beforeAll(async () => {
  market = await startTestMarket();
});
afterAll(() => market?.[Symbol.asyncDispose]());

async function* stream(message: object): AsyncGenerator<object> {
  yield message;
}

/** Calls a method with an empty request, and tells how it was refused. */
async function callEmpty(
  { port, method }: (typeof METHODS)[number],
  token?: string,
): Promise<unknown> {
  const address = market.market.address(port);
  await using channel = dial({ address, token: token === undefined ? undefined : () => token });
  const calls = client(method.parent, channel) as Record<string, (request: object) => unknown>;
  const isStreamed = method.methodKind === "bidi_streaming";
  const answer = calls[method.localName]?.(isStreamed ? stream({}) : {});
  if (method.methodKind === "unary") return await answer;
  for await (const message of answer as AsyncIterable<unknown>) return message;
  return undefined;
}

describe("a call", () => {
  test("is ruled by the contract, whichever it is", () => {
    const ruleless = METHODS.filter(({ method }) => readRule(method) === undefined);

    expect(ruleless.map(({ name }) => name)).toEqual([]);
  });

  test.each(METHODS)("of $method.parent.typeName/$name needs a token", async (method) => {
    const refused = await refusal(callEmpty(method));

    expect(refused).toMatchObject({
      code: "Unauthenticated",
      reason: "UNAUTHENTICATED",
      metadata: { problem: "MISSING" },
    });
  });

  test.each(METHODS)(
    "of $method.parent.typeName/$name takes no expired token and no forged one",
    async (method) => {
      const late = await refusal(callEmpty(method, await expiredToken()));
      const forged = await refusal(callEmpty(method, await forgedToken()));

      expect(late).toMatchObject({ code: "Unauthenticated", metadata: { problem: "EXPIRED" } });
      expect(forged).toMatchObject({
        code: "Unauthenticated",
        metadata: { problem: "UNKNOWN_KEY" },
      });
    },
  );

  test.each(MUTATIONS)("of $name is not for auditors, who only look", async (method) => {
    const token = await market.market.signer.mint("auditor", 60);

    const refused = await refusal(callEmpty(method, token));

    expect(refused).toMatchObject({ code: "PermissionDenied", reason: "PERMISSION_DENIED" });
  });

  test.each(MUTATIONS.filter(({ name }) => name === "RecordOutcome" || name === "PostCredits"))(
    "of $name is for the auction service only",
    async (method) => {
      const others = ["operator", "agent:someone", "service:registry", "service:discovery"];
      for (const other of others) {
        const refused = await refusal(
          callEmpty(method, await market.market.signer.mint(other, 60)),
        );
        expect(refused, other).toMatchObject({ code: "PermissionDenied" });
      }

      const own = await refusal(
        callEmpty(method, await market.market.signer.mint("service:auction", 60)),
      );

      expect(own).toMatchObject({ code: "InvalidArgument", reason: "INVALID_REQUEST" });
    },
  );

  async function expiredToken(): Promise<string> {
    const past = new Date(Date.now() - 3_600_000);
    const { keys } = market.market.folder;
    const signer = await createSigner({ keyFile: join(keys, "key.json"), now: () => past });
    return signer.mint("operator", 60);
  }

  async function forgedToken(): Promise<string> {
    const folder = await mkdtemp(join(tmpdir(), "bourse-forger-"));
    try {
      const { keyFile } = await generateKeys(folder);
      return await (await createSigner({ keyFile })).mint("operator", 60);
    } finally {
      await rm(folder, { recursive: true });
    }
  }
});

describe("an agent", () => {
  const ACTS: readonly {
    readonly act: string;
    readonly call: (thief: Actor, victim: Actor, taskId: string) => Promise<unknown>;
  }[] = [
    {
      act: "bid",
      call: (thief, victim, taskId) =>
        thief.auction.submitBid({ taskId, agentId: victim.id, terms: terms() }),
    },
    {
      act: "decline",
      call: (thief, victim, taskId) =>
        thief.auction.declineToBid({ taskId, agentId: victim.id, reason: "no" }),
    },
    {
      act: "deliver",
      call: (thief, victim, taskId) =>
        thief.auction.submitResult({ taskId, agentId: victim.id, awardEpoch: 1n }),
    },
    {
      act: "post a task",
      call: (thief, victim) =>
        thief.auction.postTask({
          requester: victim.id,
          spec: {
            taskType: "x",
            requirements: {
              capabilities: ["x"],
              maxLatency: { seconds: 1n },
              maxCost: { micros: 1n, currencyCode: "EUR" },
            },
          },
        }),
    },
    { act: "heartbeat", call: (thief, victim) => thief.registry.heartbeat({ agentId: victim.id }) },
    {
      act: "register",
      call: (thief, victim) =>
        thief.registry.registerAgent({
          agentId: victim.id,
          profile: { capabilities: ["x"] },
          replaceExisting: true,
        }),
    },
    {
      act: "update a profile",
      call: (thief, victim) =>
        thief.registry.updateAgent({
          agentId: victim.id,
          profile: { description: "mine" },
          updateMask: { paths: ["description"] },
        }),
    },
    {
      act: "unregister",
      call: (thief, victim) => thief.registry.unregisterAgent({ agentId: victim.id }),
    },
    {
      act: "read balances",
      call: (thief, victim) => thief.ledger.getBalances({ owner: victim.id }),
    },
    {
      act: "list transactions",
      call: (thief, victim) => thief.ledger.listTransactions({ agentId: victim.id }),
    },
    {
      act: "list all transactions",
      call: (thief) => thief.ledger.listTransactions({}),
    },
    {
      act: "pay",
      call: (thief, victim) =>
        thief.ledger.recordTransaction({
          transactionId: "0198f0c0-0000-7000-8000-000000000000",
          payer: victim.id,
          provider: thief.id,
          capability: "x",
          amount: { micros: 1n, currencyCode: "EUR" },
        }),
    },
  ];

  test.each(ACTS)("cannot $act as another", async ({ call }) => {
    const { thief, victim, taskId } = await victimAtWork();
    const before = await dumpState(market.pool);

    const refused = await refusal(call(thief, victim, taskId));

    expect(refused).toMatchObject({ code: "PermissionDenied", reason: "PERMISSION_DENIED" });
    expect(await dumpState(market.pool)).toEqual(before);
  });

  async function victimAtWork() {
    const buyer = await market.buyer("buyer");
    const victim = await market.agent("victim");
    const thief = await market.agent("thief");
    const task = await post(buyer);
    await bid(victim, task);
    await award(buyer, task);
    await allTold(market);
    return { thief, victim, taskId: task.taskId };
  }
});

describe("health and reflection", () => {
  test("need no token", async () => {
    await expect(market.market.serving(5_000)).resolves.toBeUndefined();
  });
});
