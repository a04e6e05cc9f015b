import {
  AuctionService,
  type SubmitBidRequest,
  type SubmitResultRequest,
  type WatchTasksRequest,
} from "@bourse/proto/bourse/auction/v1/auction_service_pb.ts";
import {
  AwardSchema,
  type Task,
  TaskSchema,
  TaskState,
} from "@bourse/proto/bourse/auction/v1/task_pb.ts";
import {
  type HeartbeatRequest,
  type KeepAliveRequest,
  type RegisterAgentRequest,
  RegistryService,
} from "@bourse/proto/bourse/registry/v1/registry_service_pb.ts";
import { ErrorInfoSchema } from "@bourse/proto/google/rpc/error_details_pb.ts";
import { create } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError, createRouterTransport, type ServiceImpl } from "@connectrpc/connect";
import { type Market, marketOf } from "../../src/index.ts";

/** A market in memory with what an agent needs of it; its streams can be cut and its answers withheld. */
export interface MarketPeer {
  readonly market: Market;
  /** Posts a task that requires these capabilities; answers with its id. */
  post(facts?: { capabilities?: string[]; requester?: string }): string;
  /** Awards a task; the epoch is one more than that of its last award. */
  award(taskId: string, agentId: string): void;
  move(taskId: string, state: TaskState): void;
  task(taskId: string): Task;
  /** Ends every open stream. */
  cut(): void;
  /** The next calls of a method fail with these, before they do anything. */
  fail(method: string, ...errors: readonly ConnectError[]): void;
  /** Leaves the signs of life that come on streams which are open now without an answer. */
  hush(): void;
  readonly registrations: readonly RegisterAgentRequest[];
  readonly heartbeats: readonly (HeartbeatRequest | KeepAliveRequest)[];
  readonly bids: readonly SubmitBidRequest[];
  readonly declines: readonly string[];
  readonly results: readonly SubmitResultRequest[];
  openStreams(): number;
}

/** A refusal as a service makes it. */
export function refusal(code: Code, reason: string): ConnectError {
  const info = { reason, domain: "bourse.test" };
  return new ConnectError(reason, code, undefined, [{ desc: ErrorInfoSchema, value: info }]);
}

interface Stream {
  cut: boolean;
  wake: () => void;
}

/** Opens an empty market; agents are told to beat every `beatMs`. */
export function openMarket(beatMs = 60_000): MarketPeer {
  let revision = 0;
  let hushes = 0;
  const tasks = new Map<string, { readonly task: Task; readonly revision: number }>();
  const streams = new Set<Stream>();
  const failures = new Map<string, ConnectError[]>();
  const registrations: RegisterAgentRequest[] = [];
  const heartbeats: (HeartbeatRequest | KeepAliveRequest)[] = [];
  const bids: SubmitBidRequest[] = [];
  const declines: string[] = [];
  const results: SubmitResultRequest[] = [];

  function write(task: Task): void {
    revision += 1;
    tasks.set(task.taskId, { task, revision });
    for (const stream of streams) stream.wake();
  }

  function read(taskId: string): Task {
    const row = tasks.get(taskId);
    if (row === undefined) throw refusal(Code.NotFound, "TASK_NOT_FOUND");
    return row.task;
  }

  function failIfTold(method: string): void {
    const failure = failures.get(method)?.shift();
    if (failure !== undefined) throw failure;
  }

  function changes(request: WatchTasksRequest, since: number): readonly Task[] {
    return [...tasks.values()]
      .filter((row) => row.revision > since && concerns(row.task, request, since > 0))
      .map((row) => row.task);
  }

  async function* watch(request: WatchTasksRequest, signal: AbortSignal) {
    failIfTold("watchTasks");
    const stream: Stream = { cut: false, wake: () => {} };
    signal.addEventListener("abort", () => stream.wake());
    streams.add(stream);
    try {
      let since = Number(request.resumeToken);
      let synced = false;
      while (!stream.cut && !signal.aborted) {
        const woken = new Promise<void>((resolve) => {
          stream.wake = resolve;
        });
        const until = revision;
        const found = changes(request, since);
        for (const value of found) yield { event: { case: "task" as const, value } };
        since = until;
        const event = synced ? ("idle" as const) : ("synced" as const);
        yield { event: { case: event, value: true }, resumeToken: String(until) };
        synced = true;
        if (revision === until && !stream.cut && !signal.aborted) await woken;
      }
      if (stream.cut) throw new ConnectError("cut", Code.Unavailable);
    } finally {
      streams.delete(stream);
    }
  }

  const registry: Partial<ServiceImpl<typeof RegistryService>> = {
    registerAgent(request) {
      failIfTold("registerAgent");
      registrations.push(request);
      return { agent: { agentId: request.agentId } };
    },
    heartbeat(request) {
      failIfTold("heartbeat");
      heartbeats.push(request);
      return { nextHeartbeatIn: durationFromMs(beatMs) };
    },
    async *keepAlive(requests) {
      const hushed = hushes;
      for await (const request of requests) {
        failIfTold("keepAlive");
        heartbeats.push(request);
        if (hushes === hushed) yield { nextMessageIn: durationFromMs(beatMs) };
      }
    },
  };
  const auction: Partial<ServiceImpl<typeof AuctionService>> = {
    watchTasks: (request, { signal }) => watch(request, signal),
    submitBid(request) {
      failIfTold("submitBid");
      bids.push(request);
      return { bid: { bidId: `bid-${bids.length}`, agentId: request.agentId } };
    },
    declineToBid(request) {
      declines.push(request.reason);
      return {};
    },
    submitResult(request) {
      failIfTold("submitResult");
      const task = read(request.taskId);
      if (task.award?.epoch !== request.awardEpoch) {
        throw refusal(Code.Aborted, "STALE_AWARD_EPOCH");
      }
      results.push(request);
      write({ ...task, state: TaskState.DELIVERED });
      return { task: read(request.taskId) };
    },
  };
  const transport = createRouterTransport(({ service }) => {
    service(RegistryService, registry);
    service(AuctionService, auction);
  });

  return {
    market: marketOf({
      registry: transport,
      auction: transport,
      ledger: transport,
      discovery: transport,
    }),
    post({ capabilities = ["python"], requester = "buyer" } = {}) {
      const taskId = `task-20261101-120000-${String(tasks.size).padStart(8, "0")}`;
      const spec = { taskType: "t", requirements: { capabilities } };
      write(create(TaskSchema, { taskId, requester, spec, state: TaskState.OPEN }));
      return taskId;
    },
    award(taskId, agentId) {
      const task = read(taskId);
      const epoch = (task.award?.epoch ?? 0n) + 1n;
      const award = create(AwardSchema, { epoch, agentId });
      write({ ...task, state: TaskState.AWARDED, award });
    },
    move: (taskId, state) => write({ ...read(taskId), state }),
    task: read,
    cut() {
      for (const stream of streams) {
        stream.cut = true;
        stream.wake();
      }
    },
    fail: (method, ...errors) => void failures.set(method, [...errors]),
    hush() {
      hushes += 1;
    },
    registrations,
    heartbeats,
    bids,
    declines,
    results,
    openStreams: () => streams.size,
  };
}

function concerns(task: Task, request: WatchTasksRequest, change: boolean): boolean {
  const states = request.states.length === 0 ? [TaskState.OPEN] : request.states;
  if (!change && !states.includes(task.state)) return false;
  // An award that went on to another still concerns who held it: in this peer every awarded task does.
  if (request.winner !== "") return task.award !== undefined;
  const required = task.spec?.requirements?.capabilities ?? [];
  return required.every((capability) => request.capabilities.includes(capability));
}
