import type { AgentOptions, Desk } from "./agent.ts";
import { seconds } from "./amount.ts";
import { attend, createBell, leave, register } from "./attendance.ts";
import { bidOnTasks, retrying } from "./bidding.ts";
import { insist } from "./retry.ts";
import { workOnAwards } from "./workbench.ts";

const DEFAULT_LEASE = seconds(30);

/**
 * Runs an agent until its signal aborts: it registers, keeps its lease, bids on the open tasks that
 * it is able to do, works on what it wins and delivers; without `bid` and `work` it is only there to
 * be called. It comes back by itself when the market was away; what goes wrong with one task does
 * not touch the others. On stopping it ends its work, waits for it, and says that it is OFFLINE.
 * @throws what the market refuses for good, such as a wrong token, or that the agent was unregistered
 */
export async function runAgent(options: AgentOptions): Promise<void> {
  const { market, agentId, profile, lease = DEFAULT_LEASE, random = Math.random } = options;
  const stopping = new AbortController();
  const signals = options.signal === undefined ? [] : [options.signal];
  const signal = AbortSignal.any([stopping.signal, ...signals]);
  const bell = createBell();
  const desk: Desk = {
    market,
    agentId,
    profile,
    lease,
    callsUnderWay: () => options.callsUnderWay?.() ?? 0,
    signal,
    random,
    tell: (event) => options.onEvent?.(event),
    insist: (call) => insist(call, retrying(desk)),
    underWay: new Set(),
    noteLoad: bell.ring,
  };

  const unlessStopped = (part: Promise<void>): Promise<void> =>
    part.catch((error: unknown) => {
      if (signal.aborted) return;
      stopping.abort();
      throw error;
    });
  await unlessStopped(register(desk));
  if (!signal.aborted) {
    const parts = [attend(desk, bell)];
    // As methods, so that an author's own object keeps its `this`.
    if (options.bid !== undefined) parts.push(bidOnTasks(desk, options.bid.bind(options)));
    if (options.work !== undefined) parts.push(workOnAwards(desk, options.work.bind(options)));
    const ends = await Promise.allSettled(parts.map(unlessStopped));
    await Promise.all(desk.underWay);
    await leave(desk);
    for (const end of ends) if (end.status === "rejected") throw end.reason;
  }
}
