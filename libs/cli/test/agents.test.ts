import { createReadStream } from "node:fs";
import { join } from "node:path";
import { type AgentRecord, AgentRecordSchema } from "@bourse/proto/bourse/registry/v1/bulk_pb.ts";
import { create, equals } from "@bufbuild/protobuf";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createFaultList } from "../src/agents/fault-list.ts";
import { createLeftOut } from "../src/agents/left-out.ts";
import { linesOf, READERS, type ReadAgent } from "../src/agents/read.ts";
import { FORMATS } from "../src/agents/write.ts";
import { ROOT } from "../src/place.ts";

async function* pieces(content: string, size = 7): AsyncGenerator<string> {
  for (let at = 0; at < content.length; at += size) yield content.slice(at, at + size);
}

async function readAll(format: keyof typeof READERS, content: AsyncIterable<string>) {
  const all: ReadAgent[] = [];
  const leftOut = createLeftOut(() => {});
  for await (const agent of READERS[format](linesOf(content), leftOut)) all.push(agent);
  return all;
}

const NANOS = 1_000_000_000n;
const text = fc.string({ unit: "grapheme", maxLength: 30 }).filter((it) => !it.includes("\0"));
const hard = fc.constantFrom(
  "- a",
  "20m",
  "null",
  "a: b",
  "#",
  "x\n- y\n  z",
  " ",
  "'",
  '"',
  "1e3",
);
const ends = fc.string({
  unit: fc.constantFrom("\n", "\r", "\u2028", "\u0085", " ", "\t", "- ", "a", ":", "|", "\ufeff"),
  maxLength: 6,
});
const words = fc.oneof(text, hard, ends);
const span = fc.bigInt(1n, 31_536_000n * NANOS).map((nanos) => {
  return { seconds: nanos / NANOS, nanos: Number(nanos % NANOS) };
});
const money = fc.record({
  micros: fc.bigInt(-9_000_000_000_000_000n, 9_000_000_000_000_000n),
  currencyCode: fc.constantFrom("EUR", "USD", "SAT"),
});
const cost = money.map((amount) => ({
  ...amount,
  micros: amount.micros < 0n ? -amount.micros : amount.micros,
}));
const share = fc.double({ min: 0, max: 1, noNaN: true }).map((value) => value + 0);
const maybe = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined });

const anyRecord: fc.Arbitrary<AgentRecord> = fc
  .record({
    agentId: fc.stringMatching(/^[A-Za-z0-9_-]{1,64}$/),
    declaredState: fc.nat(4),
    lease: maybe(span),
    profile: fc.record({
      displayName: words,
      description: words,
      endpoint: maybe(fc.record({ uri: fc.webUrl(), protocol: fc.constant("grpc") })),
      capabilities: fc.array(fc.stringMatching(/^[a-z0-9][a-z0-9_.:/+-]{0,9}$/), { minLength: 1 }),
      sla: maybe(
        fc.record({ p50Latency: maybe(span), successRate: maybe(share), maxCost: maybe(money) }),
      ),
      costModel: maybe(
        fc.record({ base: cost, perMinute: maybe(cost), complexityMultiplier: maybe(share) }),
      ),
      pricing: maybe(fc.record({ costPerTask: cost, billingNotes: words })),
      capacityPerHour: maybe(fc.integer({ min: 1, max: 99 })),
      maxConcurrent: maybe(fc.integer({ min: 1, max: 99 })),
      autoBid: fc.boolean(),
      metadata: fc.dictionary(
        words.filter((name) => name !== "__proto__" && name !== ""),
        words,
      ),
    }),
  })
  .map((init) => create(AgentRecordSchema, withoutUndefined(init) as never));

function withoutUndefined(value: unknown): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  const given = Object.entries(value).filter(([, member]) => member !== undefined);
  return Object.fromEntries(given.map(([name, member]) => [name, withoutUndefined(member)]));
}

describe("a file of agents", () => {
  test.each(["jsonl", "yaml"] as const)("in %s is read as it was written", async (format) => {
    const { head, lines } = FORMATS[format];
    await fc.assert(
      fc.asyncProperty(fc.array(anyRecord, { maxLength: 5 }), async (records) => {
        const content = head + records.map(lines).join("");

        const read = await readAll(format, pieces(content));

        const wrong = read.filter((agent, nth) => {
          const record = records[nth] ?? expect.fail("one too many");
          return !("record" in agent) || !equals(AgentRecordSchema, agent.record, record);
        });
        expect(wrong).toEqual([]);
        expect(read).toHaveLength(records.length);
      }),
    );
  });

  test("of the demo is read, without what is for the demo", async () => {
    const file = createReadStream(join(ROOT, "examples/agents.yaml"), { encoding: "utf8" });

    const read = await readAll("yaml", file);

    expect(read).toHaveLength(4);
    expect(read.every((agent) => "record" in agent)).toBe(true);
    expect(read[1]).toMatchObject({ record: { agentId: "iso-workshop" } });
  });

  test("names faults by the line of their agent, and goes on", async () => {
    const content = `agents:
  - agent_id: one
    capabilities: [a]
    sla: { success_rate: 2, p50_latency: soon }
  # a remark
  - agent_id: two
    capabilities: [b]
`;

    const [one, two] = await readAll("yaml", pieces(content));
    const [, three] = await readAll("jsonl", pieces('{"agent_id":"one"}\n{no json\n'));

    expect(one).toMatchObject({ line: 2, faults: [/p50_latency/, /success_rate/].map(matching) });
    expect(two).toMatchObject({ line: 6, record: { agentId: "two" } });
    expect(three).toMatchObject({ line: 2, faults: [expect.any(String)] });
  });

  test("with very many faults tells the first of them, and how many more there are", () => {
    const printed: string[] = [];
    const faults = createFaultList((text) => void printed.push(text));

    for (let line = 1; line <= 1_000_000; line++) faults.tell(line, "no JSON");
    faults.omit(5n);
    faults.end();

    expect(printed.slice(0, 2)).toEqual(["line 1: no JSON", "line 2: no JSON"]);
    expect(printed.slice(40)).toEqual(["and 999965 more faults"]);
  });

  test("with few faults tells each", () => {
    const printed: string[] = [];
    const faults = createFaultList((text) => void printed.push(text));

    for (let line = 1; line <= 40; line++) faults.tell(line, "no JSON");
    faults.end();

    expect(printed).toHaveLength(40);
  });

  test("that is no list of agents is refused, and so is one that never ends", async () => {
    const endless = async function* () {
      for (;;) yield "x".repeat(64 * 1024);
    };

    await expect(readAll("yaml", pieces("tasks:\n  - a: b\n"))).rejects.toThrow(/line 1/);
    await expect(readAll("jsonl", endless())).rejects.toThrow(/megabyte/);
  });
});

function matching(pattern: RegExp) {
  return expect.stringMatching(pattern);
}
