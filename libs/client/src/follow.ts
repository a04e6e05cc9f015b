import type { WatchTasksResponse } from "@bourse/proto/bourse/auction/v1/auction_service_pb.ts";
import type { Task, TaskState } from "@bourse/proto/bourse/auction/v1/task_pb.ts";
import { reasonOf, streamed } from "@bourse/rpc";
import type { Market } from "./connect.ts";
import { backOff, isFault, isPassing, type RetryOptions } from "./retry.ts";

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
  options: RetryOptions,
): AsyncGenerator<Task, void, undefined> {
  const { signal } = options;
  let resumeToken = "";
  let attempt = 0;
  while (!signal.aborted) {
    let failure: unknown;
    try {
      const request = { ...filter, resumeToken };
      const open = (inner: AbortSignal): AsyncIterable<WatchTasksResponse> =>
        auction.watchTasks(request, { signal: inner });
      for await (const message of streamed(open, signal)) {
        // Not for a task: a stream that never gets beyond its snapshot must not begin it ten times a second.
        if (message.event.case === "task") yield message.event.value;
        else attempt = 0;
        // Taken only when the task was dealt with, so that what was not comes again.
        if (message.resumeToken !== "") resumeToken = message.resumeToken;
      }
    } catch (error) {
      failure = error;
    }
    if (signal.aborted) return;
    if (resumeToken !== "" && reasonOf(failure) === "INVALID_RESUME_TOKEN") {
      resumeToken = "";
      continue;
    }
    if (failure !== undefined && !isPassing(failure) && !isFault(failure)) throw failure;
    options.onRetry?.(failure);
    attempt += 1;
    await backOff(attempt, options);
  }
}
