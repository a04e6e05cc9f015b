import {
  LineageService,
  type NewEvent,
} from "@bourse/proto/bourse/ledger/v1/lineage_service_pb.ts";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError, createClient, createRouterTransport } from "@connectrpc/connect";
import { describe, expect, test } from "vitest";
import { deliverLineage, lineageMessage, permanent } from "../src/lineage.ts";

const NOON = new Date("2026-11-20T12:00:00Z");

function aMessage(eventId: string) {
  return lineageMessage("agent-1", {
    eventId,
    type: "agent_registered",
    eventTime: NOON,
    subjects: { agent: "agent-1" },
    payload: { capabilities: 2 },
  });
}

/** A ledger that keeps batches, refuses the events named and answers when let. */
function aLedger(
  options: {
    readonly refused?: string;
    readonly code?: Code;
    readonly answer?: (signal: AbortSignal) => Promise<void>;
  } = {},
) {
  const batches: NewEvent[][] = [];
  const transport = createRouterTransport(({ service }) => {
    service(LineageService, {
      async appendEvents({ events }, { signal }) {
        batches.push(events);
        await options.answer?.(signal);
        if (events.some((event) => event.eventId === options.refused)) {
          throw new ConnectError("refused", options.code ?? Code.AlreadyExists);
        }
        return {};
      },
    });
  });
  const deliver = deliverLineage(createClient(LineageService, transport));
  const { signal: patient } = new AbortController();
  return {
    batches,
    ids: () => batches.map((events) => events.map((event) => event.eventId)),
    deliver: (id: string, signal = patient) => deliver(aMessage(id), signal),
  };
}

describe("a lineage event", () => {
  test("crosses the outbox as JSON and arrives as it was told", async () => {
    const ledger = aLedger();

    await ledger.deliver("agent_registered/agent-1/1");

    expect(aMessage("x").id).toBe("lineage/x");
    expect(ledger.batches[0]?.[0]).toMatchObject({
      eventId: "agent_registered/agent-1/1",
      subjects: { agent: "agent-1" },
      eventTime: timestampFromDate(NOON),
      payload: { capabilities: 2 },
    });
  });

  test("goes together with those that come in the same moment", async () => {
    const ledger = aLedger();

    await Promise.all(["a", "b", "c"].map((id) => ledger.deliver(id)));

    expect(ledger.ids()).toEqual([["a", "b", "c"]]);
  });

  test("that is refused for good does not hold up the others of its batch", async () => {
    const ledger = aLedger({ refused: "b" });

    const outcomes = await Promise.allSettled(["a", "b", "c"].map((id) => ledger.deliver(id)));

    expect(outcomes.map((outcome) => outcome.status)).toEqual([
      "fulfilled",
      "rejected",
      "fulfilled",
    ]);
    expect(ledger.ids()).toEqual([["a", "b", "c"], ["a"], ["b"], ["c"]]);
  });

  test("whose time ran out while it waited does not take the others with it", async () => {
    const ledger = aLedger();

    const outcomes = await Promise.allSettled([
      ledger.deliver("a"),
      ledger.deliver("b", AbortSignal.abort(new Error("too late"))),
      ledger.deliver("c"),
    ]);

    expect(outcomes).toEqual([
      { status: "fulfilled", value: undefined },
      { status: "rejected", reason: new Error("too late") },
      { status: "fulfilled", value: undefined },
    ]);
    expect(ledger.ids()).toEqual([["a", "c"]]);
  });

  test("whose time runs out while it is recorded leaves the others their own", async () => {
    const leaving = new AbortController();
    const ledger = aLedger({
      answer: async (signal) => {
        leaving.abort();
        await new Promise(setImmediate);
        signal.throwIfAborted();
      },
    });

    const outcomes = await Promise.allSettled([
      ledger.deliver("a"),
      ledger.deliver("b", leaving.signal),
    ]);

    expect(outcomes[0]?.status).toBe("fulfilled");
  });

  test("ends the call when nobody waits for any of its batch", async () => {
    const leaving = new AbortController();
    const ended = Promise.withResolvers<void>();
    const ledger = aLedger({
      answer: async (signal) => {
        signal.addEventListener("abort", () => ended.resolve());
        leaving.abort();
        await ended.promise;
      },
    });

    const outcomes = await Promise.allSettled(
      ["a", "b"].map((id) => ledger.deliver(id, leaving.signal)),
    );

    await ended.promise;
    expect(outcomes.map((outcome) => outcome.status)).toEqual(["rejected", "rejected"]);
  });

  test("fails with its whole batch when the ledger is away, and can be sent again", async () => {
    const ledger = aLedger({ refused: "b", code: Code.Unavailable });

    const outcomes = await Promise.allSettled(["a", "b"].map((id) => ledger.deliver(id)));
    await ledger.deliver("a");

    expect(outcomes.map((outcome) => outcome.status)).toEqual(["rejected", "rejected"]);
    expect(ledger.ids()).toEqual([["a", "b"], ["a"]]);
  });
});

test.each([
  { error: new ConnectError("", Code.InvalidArgument), expected: true },
  { error: new ConnectError("", Code.FailedPrecondition), expected: true },
  { error: new ConnectError("", Code.AlreadyExists), expected: true },
  { error: new ConnectError("", Code.PermissionDenied), expected: true },
  { error: new ConnectError("", Code.Unimplemented), expected: true },
  { error: new ConnectError("", Code.NotFound), expected: true },
  { error: new ConnectError("", Code.Unavailable), expected: false },
  { error: new ConnectError("", Code.DeadlineExceeded), expected: false },
  { error: new ConnectError("", Code.Unauthenticated), expected: false },
  { error: new ConnectError("", Code.Internal), expected: false },
  { error: new Error("ECONNRESET"), expected: false },
])("a failure with $error.message is permanent: $expected", ({ error, expected }) => {
  expect(permanent(error)).toBe(expected);
});
