import { BadRequestSchema, ErrorInfoSchema } from "@bourse/proto/google/rpc/error_details_pb.ts";
import { type DescMessage, fromBinary, type MessageShape } from "@bufbuild/protobuf";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { allTold } from "../support/books.ts";
import { runTool } from "../support/command.ts";
import { startTestMarket, type TestMarket } from "../support/market.ts";

type Port = "registry" | "auction" | "ledger" | "discovery";
/** A message in JSON, as people read it. */
// biome-ignore lint/suspicious/noExplicitAny: what a tool printed has the shape that the story says
type Json = any;

let market: TestMarket;

beforeAll(async () => {
  market = await startTestMarket();
});
afterAll(() => market?.[Symbol.asyncDispose]());

const CURL = ["curl", "--protocol", "grpc", "--http2-prior-knowledge"] as const;

/** Calls as buf curl does with nothing but an address: it asks the server what there is. */
async function curl(port: Port, method: string, principal: string, message: object): Promise<Json> {
  const { stdout, stderr, exitCode } = await callWithCurl(port, method, principal, message);
  expect(stderr).toBe("");
  expect(exitCode).toBe(0);
  return JSON.parse(stdout);
}

/** Calls and is refused: the error as buf curl prints it. */
async function refusedCurl(
  port: Port,
  method: string,
  principal: string,
  message: object,
): Promise<Json> {
  const { stderr, exitCode } = await callWithCurl(port, method, principal, message);
  expect(exitCode).not.toBe(0);
  return JSON.parse(stderr);
}

/** A detail of an error: buf curl prints its type in words and its content in base64. */
function detailOf<D extends DescMessage>(schema: D, error: Json): MessageShape<D> {
  const detail = error.details.find(({ type }: Json) => type === schema.typeName);
  return fromBinary(schema, Buffer.from(detail.value, "base64"));
}

async function callWithCurl(port: Port, method: string, principal: string, message: object) {
  const token = await market.market.signer.mint(principal, 600);
  const url = `http://${market.market.address(port)}/bourse.${method}`;
  const header = `authorization: Bearer ${token}`;
  return runTool("buf", ...CURL, "-H", header, "-d", JSON.stringify(message), url);
}

describe("buf curl with reflection", () => {
  test.each<[Port, readonly string[]]>([
    ["registry", ["bourse.registry.v1.RegistryService"]],
    ["auction", ["bourse.auction.v1.AuctionService"]],
    ["ledger", ["bourse.ledger.v1.LedgerService", "bourse.ledger.v1.LineageService"]],
    ["discovery", ["bourse.discovery.v1.DiscoveryService"]],
  ])("lists the services of %s", async (port, services) => {
    const url = `http://${market.market.address(port)}`;

    const { stdout, exitCode } = await runTool("buf", ...CURL, "--list-services", url);

    expect(exitCode).toBe(0);
    expect(stdout.trim().split("\n")).toEqual(
      expect.arrayContaining([...services, "grpc.health.v1.Health"]),
    );
  });

  test("takes a task from post to payment", async () => {
    const money = { micros: "2000000", currencyCode: "EUR" };
    await curl("registry", "registry.v1.RegistryService/RegisterAgent", "agent:curly", {
      agentId: "curly",
      profile: { capabilities: ["shaving"] },
    });
    await curl("ledger", "ledger.v1.LedgerService/Deposit", "operator", {
      depositId: "first",
      owner: "moe",
      amount: { micros: "5000000", currencyCode: "EUR" },
    });

    const posted = await curl("auction", "auction.v1.AuctionService/PostTask", "agent:moe", {
      requester: "moe",
      spec: {
        taskType: "shave",
        requirements: { capabilities: ["shaving"], maxLatency: "600s", maxCost: money },
        awardPolicy: "AWARD_POLICY_MANUAL",
      },
    });
    const { taskId } = posted.task;
    await curl("auction", "auction.v1.AuctionService/SubmitBid", "agent:curly", {
      taskId,
      agentId: "curly",
      terms: { price: money, latency: "300s", successRate: 0.99 },
    });
    const awarded = await curl("auction", "auction.v1.AuctionService/AwardTask", "agent:moe", {
      taskId,
    });
    const completed = await curl("auction", "auction.v1.AuctionService/CompleteTask", "agent:moe", {
      taskId,
      success: true,
      actualLatency: "290s",
    });
    const got = await curl("auction", "auction.v1.AuctionService/GetTask", "auditor", { taskId });
    await allTold(market);
    const balances = await curl("ledger", "ledger.v1.LedgerService/GetBalances", "agent:curly", {
      owner: "curly",
    });

    expect(posted.task.state).toBe("TASK_STATE_OPEN");
    expect(awarded.task).toMatchObject({
      state: "TASK_STATE_AWARDED",
      award: { epoch: "1", agentId: "curly", price: money },
    });
    expect(completed.task.state).toBe("TASK_STATE_SUCCEEDED");
    expect(got.task).toEqual(completed.task);
    expect(balances.accounts).toMatchObject([
      { currencyCode: "CRD" },
      { currencyCode: "EUR", postedMicros: "2000000" },
    ]);
  });

  test("finds an agent by discovery", async () => {
    const found = await curl(
      "discovery",
      "discovery.v1.DiscoveryService/SearchAgents",
      "operator",
      {
        filter: { capabilities: ["shaving"] },
      },
    );

    expect(found.agents).toMatchObject([{ agentId: "curly" }]);
  });

  test("shows an error with its reason and the fields at fault", async () => {
    const error = await refusedCurl("auction", "auction.v1.AuctionService/PostTask", "agent:moe", {
      requester: "moe",
      spec: {
        taskType: "two words",
        requirements: {
          capabilities: [],
          maxLatency: "0s",
          maxCost: { micros: "-1", currencyCode: "EUR" },
        },
      },
    });

    expect(error.code).toBe("invalid_argument");
    expect(detailOf(ErrorInfoSchema, error)).toMatchObject({
      reason: "INVALID_REQUEST",
      domain: "bourse.auction",
    });
    const { fieldViolations } = detailOf(BadRequestSchema, error);
    expect(fieldViolations.map(({ field }) => field).sort()).toEqual([
      "spec.requirements.capabilities",
      "spec.requirements.max_cost",
      "spec.requirements.max_latency",
      "spec.task_type",
    ]);
  });

  test("shows a refusal by rule with the values that it is about", async () => {
    const transactionId = "0198f0c0-0000-7000-8000-0000000000ff";

    const error = await refusedCurl(
      "ledger",
      "ledger.v1.LedgerService/RecordTransaction",
      "agent:moe",
      {
        transactionId,
        payer: "moe",
        provider: "curly",
        capability: "shaving",
        amount: { micros: "999000000", currencyCode: "EUR" },
      },
    );

    expect(error.code).toBe("failed_precondition");
    expect(detailOf(ErrorInfoSchema, error)).toMatchObject({
      reason: "INSUFFICIENT_FUNDS",
      domain: "bourse.ledger",
      metadata: { available: "3000000", currency: "EUR" },
    });
  });
});
