import type { Task, TaskState } from "@bourse/proto/bourse/auction/v1/task_pb.ts";
import { backoffMs, resumed } from "@bourse/rpc";
import type { Market } from "./connect.ts";
import { isFault, isPassing, type RetryOptions } from "./retry.ts";

/** Which tasks to follow, as in WatchTasksRequest. */
export interface TaskFilter {
  readonly capabilities?: string[];
  readonly states?: TaskState[];
  readonly winner?: string;
}

/**
 * The tasks that pass a filter and each of their changes, until the signal aborts. A lost stream is resumed, so nothing
 * is missed; a task may come again as it was.
 * @throws what the market refuses for good, such as a bad token
 */
export async function* followTasks(
  { auction }: Pick<Market, "auction">,
  filter: TaskFilter,
  { signal, random, onRetry }: RetryOptions,
): AsyncGenerator<Task, void, undefined> {
  const messages = resumed(
    {
      open: (resumeToken, inner) =>
        auction.watchTasks({ ...filter, resumeToken }, { signal: inner }),
      isSnapshot: ({ event }) => event.case === "task",
      pauseMs: (attempt) => backoffMs(attempt, random),
      onEnd(error) {
        if (error !== undefined && !isPassing(error) && !isFault(error)) throw error;
        onRetry?.(error);
      },
    },
    signal,
  );
  for await (const { event } of messages) if (event.case === "task") yield event.value;
}
