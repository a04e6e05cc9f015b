import { TransactionState } from "@bourse/proto/bourse/ledger/v1/ledger_pb.ts";
import { PartyRole } from "@bourse/proto/bourse/ledger/v1/ledger_service_pb.ts";
import { type Timestamp, timestampFromDate } from "@bufbuild/protobuf/wkt";
import { type Command, Option } from "commander";
import { Failure } from "../failure.ts";

/** Which transactions the caller wants, as options. */
export interface FilterOptions {
  readonly agent?: string;
  readonly role?: "payer" | "provider";
  readonly state?: "pending" | "settled" | "cancelled" | "disputed";
  readonly capability?: string;
  readonly from?: string;
  readonly to?: string;
}

/** The same as requests bear it. */
export interface FilterRequest {
  readonly agentId: string;
  readonly role: PartyRole;
  readonly state: TransactionState;
  readonly capability: string;
  readonly startTime?: Timestamp;
  readonly endTime?: Timestamp;
}

const ROLES = { payer: PartyRole.PAYER, provider: PartyRole.PROVIDER } as const;

const STATES = {
  pending: TransactionState.PENDING,
  settled: TransactionState.SETTLED,
  cancelled: TransactionState.CANCELLED,
  disputed: TransactionState.DISPUTED,
} as const;

/** Gives a command the options by which transactions are chosen; `state` only where it counts. */
export function addFilterOptions(command: Command, state: "with state" | "without state"): Command {
  if (state === "with state") {
    const states = Object.keys(STATES);
    command.addOption(new Option("--state <state>", "only in this state").choices(states));
  }
  return command
    .option("--agent <id>", "only transactions of this agent")
    .addOption(
      new Option("--role <side>", "only where --agent is on this side").choices(Object.keys(ROLES)),
    )
    .option("--capability <name>", "only for this capability")
    .option("--from <time>", "only recorded at or after: 2026-11-01 or 2026-11-01T08:00:00Z")
    .option("--to <time>", "only recorded before");
}

/**
 * The filter as requests bear it.
 * @throws Failure when a time cannot be read
 */
export function filterOf(options: FilterOptions): FilterRequest {
  const { agent = "", role, state, capability = "", from, to } = options;
  return {
    agentId: agent,
    role: role === undefined ? PartyRole.UNSPECIFIED : ROLES[role],
    state: state === undefined ? TransactionState.UNSPECIFIED : STATES[state],
    capability,
    ...(from !== undefined && { startTime: timestampFromDate(timeOf("--from", from)) }),
    ...(to !== undefined && { endTime: timestampFromDate(timeOf("--to", to)) }),
  };
}

/**
 * A day, which begins in UTC, or a time with its zone.
 * @throws Failure when it cannot be read
 */
export function timeOf(option: string, text: string): Date {
  const time = new Date(text);
  if (!TIME.test(text) || Number.isNaN(time.getTime())) {
    throw new Failure(`${option} takes a day such as 2026-11-01 or a time with its zone`);
  }
  return time;
}

const TIME = /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:\d\d))?$/;
