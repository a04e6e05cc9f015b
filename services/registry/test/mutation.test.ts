import type { MutationRequest, Remembered } from "@bourse/postgres";
import { initialReputation } from "@bourse/scoring";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Agent, Profile } from "../src/agent.ts";
import { NO_LOAD, type Presence } from "../src/availability.ts";
import { type Ended, type Facts, type Mutation, settle } from "../src/mutation.ts";

const AT = new Date("2026-11-21T10:00:00Z");

const UNHEARD: Presence = {
  reported: NO_LOAD,
  openSlots: 0,
  slotsChangedAt: undefined,
  heardAt: undefined,
  leaseExpireAt: undefined,
};

const aProfile = (text: string): Profile => ({
  capabilities: [text],
  metadata: {},
  maxConcurrent: 1,
  encoded: new TextEncoder().encode(text),
});

function anAgent(id: string, version = 1n): Agent<Profile> {
  return {
    id,
    profile: aProfile("first"),
    declaredState: "ONLINE",
    declaredAt: AT,
    leaseMs: undefined,
    reputation: initialReputation(),
    version,
    createdAt: AT,
    updatedAt: AT,
    unregisteredAt: undefined,
  };
}

function aRequest(id: string, content = "same"): MutationRequest {
  return { principal: "operator", id, method: "m", fingerprint: Buffer.from(content) };
}

const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
const bytes = (value: string) => new TextEncoder().encode(value);

/** Sets the text of an agent, makes one that is not there, or is refused when it does not find the version it wants. */
function setting(
  agentId: string,
  value: string,
  options: {
    readonly wants?: bigint | undefined;
    readonly request?: MutationRequest | undefined;
  } = {},
): Mutation {
  const { wants, request } = options;
  return {
    agentId,
    request,
    decide({ agent, at }) {
      if (wants !== undefined && wants !== agent?.version) throw new Error("not that version");
      const version = (agent?.version ?? 0n) + 1n;
      const after = { ...(agent ?? anAgent(agentId)), version, updatedAt: at };
      return {
        answer: bytes(`${agentId} ${version} ${value}`),
        after: { ...after, profile: aProfile(value) },
        event: { id: `${agentId}/${version}`, kind: "k", key: agentId, payload: value },
      };
    },
  };
}

function facts(agents: readonly Agent[] = [], overrides: Partial<Facts> = {}): Facts {
  return {
    agents: new Map(agents.map((agent) => [agent.id, agent])),
    held: new Set(),
    erased: new Set(),
    presences: new Map(),
    remembered: new Map(),
    at: AT,
    ...overrides,
  };
}

const answerOf = (end: Ended | undefined) =>
  end === undefined || end === "held" || "refusal" in end ? undefined : text(end.done.answer);

describe("mutations that are settled together", () => {
  test("follow each other: what one leaves behind the next one finds", () => {
    const mutations = [setting("a", "x"), setting("a", "y", { wants: 2n }), setting("b", "z")];

    const { ends, changed, inserted, messages } = settle(mutations, facts([anAgent("a")]));

    expect(ends.map(answerOf)).toEqual(["a 2 x", "a 3 y", "b 1 z"]);
    expect(changed.map(({ id, version }) => [id, version])).toEqual([["a", 3n]]);
    expect(inserted.map(({ id, version }) => [id, version])).toEqual([["b", 1n]]);
    expect(messages.map(({ id }) => id)).toEqual(["a/2", "a/3", "b/1"]);
  });

  test("are refused one by one, and one that is refused leaves nothing behind", () => {
    const request = aRequest("r");
    const mutations = [
      setting("a", "x", { wants: 7n, request }),
      setting("a", "y"),
      setting("a", "x", { request }),
    ];

    const { ends, messages, answered } = settle(mutations, facts([anAgent("a")]));

    expect(ends[0]).toEqual({ refusal: new Error("not that version") });
    expect(ends.map(answerOf)).toEqual([undefined, "a 2 y", "a 3 x"]);
    expect(messages.map(({ id }) => id)).toEqual(["a/2", "a/3"]);
    expect(answered.map(({ answer }) => text(answer))).toEqual(["a 3 x"]);
  });

  test("are done once under one request, and with other content refused", () => {
    const request = aRequest("r");
    const mutations = [
      setting("a", "x", { request }),
      setting("a", "x", { request }),
      setting("b", "y", { request: aRequest("r", "other") }),
    ];

    const { ends, changed, inserted, answered } = settle(mutations, facts([anAgent("a")]));

    expect(ends.map(answerOf)).toEqual(["a 2 x", "a 2 x", undefined]);
    expect(ends[2]).toMatchObject({ refusal: { reason: "REQUEST_ID_REUSED" } });
    expect(changed.map(({ version }) => version)).toEqual([2n]);
    expect([inserted, answered.length]).toEqual([[], 1]);
  });

  test("find what is known of the availability of their agent", () => {
    const presence = { ...UNHEARD, openSlots: 2 };
    const found: unknown[] = [];
    const looking = (agentId: string): Mutation => ({
      ...setting(agentId, "x"),
      decide(one) {
        found.push(one.presence);
        return { answer: bytes("") };
      },
    });

    settle([looking("a"), looking("b")], facts([], { presences: new Map([["b", presence]]) }));

    expect(found).toEqual([undefined, presence]);
  });

  test("that another transaction holds are not looked at", () => {
    const held = new Set(["a"]);

    const { ends, inserted } = settle([setting("a", "x"), setting("b", "y")], facts([], { held }));

    expect(ends[0]).toBe("held");
    expect(inserted.map(({ id }) => id)).toEqual(["b"]);
  });

  test("mean what they mean one after the other", () => {
    const mutation = fc.record({
      agentId: fc.constantFrom("a", "b", "c"),
      value: fc.constantFrom("x", "y"),
      wants: fc.option(fc.bigInt(1n, 4n), { nil: undefined }),
      request: fc.option(fc.constantFrom("r1", "r2"), { nil: undefined }),
    });
    fc.assert(
      fc.property(fc.array(mutation, { maxLength: 12 }), (asked) => {
        const mutations = asked.map(({ agentId, value, wants, request }) => {
          const content = `${agentId} ${value} ${wants}`;
          const named = request === undefined ? undefined : aRequest(request, content);
          return setting(agentId, value, { wants, request: named });
        });
        const start = [anAgent("a"), anAgent("b", 3n)];

        const together = settle(mutations, facts(start));
        const alone = oneByOne(mutations, start);

        const written = [...together.changed, ...together.inserted];
        const agents = new Map(start.map((agent) => [agent.id, agent as Agent]));
        for (const agent of written) agents.set(agent.id, agent);
        expect(agents).toEqual(alone.agents);
        expect(together.ends).toEqual(alone.ends);
        expect(together.messages).toEqual(alone.messages);
        expect(together.answered).toEqual(alone.answered);
      }),
    );
  });
});

/** Each in a batch of its own. */
function oneByOne(mutations: readonly Mutation[], start: readonly Agent[]) {
  const agents = new Map(start.map((agent) => [agent.id, agent]));
  const remembered = new Map<string, Remembered>();
  const all = mutations.map((mutation) => {
    const settled = settle([mutation], facts([], { agents, remembered }));
    for (const agent of [...settled.changed, ...settled.inserted]) agents.set(agent.id, agent);
    for (const { request, answer } of settled.answered) {
      remembered.set(JSON.stringify([request.principal, request.id]), { ...request, answer });
    }
    return settled;
  });
  return {
    agents,
    ends: all.flatMap(({ ends }) => ends),
    messages: all.flatMap(({ messages }) => messages),
    answered: all.flatMap(({ answered }) => answered),
  };
}
