import { businessEvents, type EventValue, type Logger, type Metrics } from "@bourse/telemetry";
import type { EventType } from "./follow-up.ts";
import type { AuctionStore } from "./store.ts";
import { isEnd, type Step, type Task } from "./task.ts";

/** Tells logs and metrics what happened; call it when it is committed. */
export interface Journal {
  /** A task moved on, or came. */
  told(before: Task | undefined, step: Step): void;
  /** A bid was taken, refused or declined. */
  bid(result: "accepted" | "automatic" | "refused" | "declined", count?: number): void;
}

/** Opens the journal of a service and declares its metrics. */
export function createJournal(options: {
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly store: Pick<AuctionStore, "countLive">;
}): Journal {
  const { metrics, store } = options;
  const say = businessEvents<Record<EventType, Record<string, EventValue>>>(options.logger);
  const auctions = metrics.counter(
    "marketplace_auctions_total",
    "Tasks by the state that they came to",
    ["state"],
  );
  const bids = metrics.counter("marketplace_bids_total", "Bids by what became of them", ["result"]);
  const duration = metrics.histogram(
    "marketplace_auction_duration_seconds",
    "Time from the post to the end",
    { labels: ["state"], buckets: DURATION_SECONDS },
  );
  metrics.collect("marketplace_tasks_live", "Tasks that have not ended", ["state"], async () => {
    const counts = await store.countLive();
    return [...counts].map(([state, value]) => ({ labels: { state }, value }));
  });

  return {
    told(before, { task, followUps }) {
      for (const followUp of followUps) {
        if (followUp.kind !== "event") continue;
        const { type, taskId, subjects, payload } = followUp.event;
        say(type, { ...payload, ...subjects, task_id: taskId });
      }
      if (before?.state === task.state) return;
      auctions.inc({ state: task.state });
      if (!isEnd(task.state)) return;
      const lastedMs = task.updateTime.getTime() - task.createTime.getTime();
      duration.observe({ state: task.state }, lastedMs / 1_000);
    },
    bid(result, count = 1) {
      if (count > 0) bids.inc({ result }, count);
    },
  };
}

const DURATION_SECONDS = [1, 10, 60, 600, 3_600, 21_600, 86_400, 259_200, 604_800, 2_592_000];
