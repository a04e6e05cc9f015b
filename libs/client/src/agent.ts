import type {
  Bid,
  BidTermsSchema,
  ResultSchema,
  Task,
} from "@bourse/proto/bourse/auction/v1/task_pb.ts";
import type { Agent, AgentProfileSchema } from "@bourse/proto/bourse/registry/v1/agent_pb.ts";
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { Duration } from "@bufbuild/protobuf/wkt";
import type { Market } from "./connect.ts";

/** What a bid promises: `price`, `latency` and, unless 0.95, `successRate`. */
export type Terms = MessageInitShape<typeof BidTermsSchema>;

/** What is delivered: `output` as JSON, or a `reference` to where the work lies with its `sha256`. */
export type Work = MessageInitShape<typeof ResultSchema>;

/** Says no to a task, for the record. */
export interface Decline {
  readonly decline: string;
}

/** An agent: who it is, what it asks, how it works. */
export interface AgentOptions {
  readonly market: Pick<Market, "registry" | "auction">;
  readonly agentId: string;
  readonly profile: MessageInitShape<typeof AgentProfileSchema>;
  /**
   * What to promise for a task, why not to bid, or undefined to let it pass. Asked once per open
   * task. Without it the agent does not bid: the market may do so for it, or it is only called.
   */
  bid?(task: Task): Terms | Decline | undefined | Promise<Terms | Decline | undefined>;
  /**
   * Does the work of an award. The signal aborts when the task goes to another or the agent stops.
   * Without it awards are not looked at.
   */
  work?(task: Task, signal: AbortSignal): Work | Promise<Work>;
  /**
   * How many calls it serves now at its endpoint, told with each sign of life besides its awards.
   * Without those for which the caller holds a slot: the slot stands for them.
   */
  readonly callsUnderWay?: () => number;
  /** The market holds the agent for gone when it is not heard for so long; default 30 seconds. */
  readonly lease?: Duration;
  /** Stops the agent. */
  readonly signal?: AbortSignal;
  /** Is told what happens; must not throw. */
  readonly onEvent?: (event: AgentEvent) => void;
  /** From 0 to below 1. */
  readonly random?: () => number;
}

/** What happens to an agent. */
export type AgentEvent =
  | { readonly kind: "registered"; readonly agent: Agent | undefined }
  | { readonly kind: "bid"; readonly task: Task; readonly bid: Bid | undefined }
  | { readonly kind: "declined"; readonly task: Task; readonly reason: string }
  | { readonly kind: "won"; readonly task: Task }
  | { readonly kind: "delivered"; readonly task: Task }
  /** The task went to another, or ended, while it was worked on. */
  | { readonly kind: "lost"; readonly task: Task }
  /** A bid or a delivery was refused, or `bid` or `work` threw; other tasks go on. */
  | { readonly kind: "failed"; readonly task: Task; readonly error: unknown }
  /** A call or a stream failed and is tried again. */
  | { readonly kind: "disconnected"; readonly error: unknown };

/** How an agent decides on a task, and how it works on one. */
export type Bidding = NonNullable<AgentOptions["bid"]>;
export type Working = NonNullable<AgentOptions["work"]>;

/** What the parts of a running agent share. */
export interface Desk extends Pick<AgentOptions, "market" | "agentId" | "profile"> {
  readonly lease: Duration;
  readonly signal: AbortSignal;
  readonly random: () => number;
  readonly tell: (event: AgentEvent) => void;
  /** Tries again what fails for a moment, until the agent stops. */
  insist<T>(call: () => Promise<T>): Promise<T>;
  readonly callsUnderWay: () => number;
  /** The work that it does now, which ends when it is delivered, failed or lost. */
  readonly underWay: Set<Promise<void>>;
  /** Says that `underWay` has changed. */
  readonly noteLoad: () => void;
}
