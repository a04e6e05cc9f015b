import fc from "fast-check";
import { expect, test } from "vitest";
import { BACKOFF_MS, phaseOf, stepBreaker } from "../src/breaker.ts";
import { type BreakerFilter, type BreakerPlace, pageOfBreakers } from "../src/breaker-page.ts";
import type { AgentBreaker } from "../src/breaker-store.ts";

const NOON_MS = Date.parse("2026-11-01T12:00:00Z");

function opened(atMs: number) {
  const { breaker } = stepBreaker(undefined, { kind: "calibration", reportId: "" }, atMs);
  if (breaker === undefined) throw new Error("it did not open");
  return breaker;
}

const someBreaker = fc.record({
  agentId: fc.constantFrom("a", "B", "b", "b-"),
  capability: fc.constantFrom("go", "python", "sql"),
  breaker: fc.constantFrom(opened(NOON_MS), opened(NOON_MS - BACKOFF_MS)),
});
const someBreakers = fc.uniqueArray(someBreaker, { selector: nameOf, maxLength: 12 });
const someFilter: fc.Arbitrary<BreakerFilter> = fc.record({
  agentId: fc.constantFrom("", "", "b"),
  capability: fc.constantFrom("", "", "python"),
  phase: fc.constantFrom(undefined, "OPEN", "HALF_OPEN"),
});

function nameOf({ agentId, capability }: BreakerPlace): string {
  return `${agentId} ${capability}`;
}

function isPassing({ agentId, capability, breaker }: AgentBreaker, filter: BreakerFilter): boolean {
  if (filter.agentId !== "" && filter.agentId !== agentId) return false;
  if (filter.capability !== "" && filter.capability !== capability) return false;
  return filter.phase === undefined || phaseOf(breaker, NOON_MS) === filter.phase;
}

test("pages of breakers hold those that pass throughout once, by agent and capability, whoever comes or goes", () => {
  fc.assert(
    fc.property(
      fc.array(someBreakers, { minLength: 1, maxLength: 6 }),
      someFilter,
      fc.integer({ min: 1, max: 3 }),
      (moments, filter, size) => {
        const seen: AgentBreaker[] = [];
        let after: BreakerPlace | undefined;
        let isLast = false;
        for (let nth = 0; !isLast; nth += 1) {
          const all = moments[Math.min(nth, moments.length - 1)] ?? [];
          const page = pageOfBreakers(all, filter, { after, size, nowMs: NOON_MS });
          expect(page.breakers.length).toBeLessThanOrEqual(size);
          expect(page.total).toBe(all.filter((one) => isPassing(one, filter)).length);
          seen.push(...page.breakers);
          after = page.breakers.at(-1);
          isLast = page.isLast;
        }

        const names = seen.map(nameOf);
        const throughout = (moments[0] ?? []).filter((one) => {
          const same = moments.map((all) => all.find((other) => nameOf(other) === nameOf(one)));
          return same.every((other) => other !== undefined && isPassing(other, filter));
        });
        expect(names).toEqual([...new Set(names)].sort());
        expect(seen.every((one) => isPassing(one, filter))).toBe(true);
        expect(names).toEqual(expect.arrayContaining(throughout.map(nameOf)));
      },
    ),
  );
});
