import type { JsonObject } from "@bourse/proof";
import {
  type Account as AccountMessage,
  AccountSchema,
  AccountStatus,
  MovementKind,
  type Movement as MovementMessage,
  MovementSchema,
  type Transaction as TransactionMessage,
  TransactionSchema,
  TransactionState,
} from "@bourse/proto/bourse/ledger/v1/ledger_pb.ts";
import {
  type ListTransactionsRequest,
  PartyRole,
  type RecordTransactionRequest,
} from "@bourse/proto/bourse/ledger/v1/ledger_service_pb.ts";
import type { Money as MoneyMessage } from "@bourse/proto/bourse/type/v1/money_pb.ts";
import type { Fault } from "@bourse/rpc/rejection";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { type Account, available, balance, type Money } from "./account.ts";
import { agreementFaults, decodeAgreement, encodeAgreement } from "./agreement-codec.ts";
import { type Caller, callerName } from "./caller.ts";
import { encodeContest, money } from "./dispute-codec.ts";
import { jsonFault, rejectFaults, textFault } from "./limit.ts";
import type { StatementLine } from "./movement.ts";
import type { TransactionFilter } from "./store.ts";
import { decodeTime } from "./time.ts";
import type { TransactionState as State, Terms, Transaction } from "./transaction.ts";
import type { Windows } from "./windows.ts";

const CONTEXT_BYTES_MAX = 8 * 1024;

const STATES: Readonly<Record<State, TransactionState>> = {
  PENDING: TransactionState.PENDING,
  SETTLED: TransactionState.SETTLED,
  CANCELLED: TransactionState.CANCELLED,
  DISPUTED: TransactionState.DISPUTED,
};

/**
 * What is wrong with the terms that a caller asks for, beyond what the contract's rules see; `path`
 * stands before the names of the fields.
 */
export function termsFaults(
  path: string,
  request: RecordTransactionRequest,
  caller: Caller,
): readonly (Fault | undefined)[] {
  return [
    reservedFault(`${path}transaction_id`, request.transactionId, caller),
    textFault(`${path}capability`, request.capability),
    jsonFault(`${path}context`, request.context as JsonObject | undefined, CONTEXT_BYTES_MAX),
    ...agreementFaults(path, request),
  ];
}

/** The terms that a caller asks for, which have no faults; `groupId` is "" when they stand alone. */
export function decodeTerms(
  request: RecordTransactionRequest,
  caller: Caller,
  groupId: string,
  windows: Windows,
): Terms {
  return {
    id: decodeId(request.transactionId),
    payer: request.payer,
    provider: request.provider,
    capability: request.capability,
    amount: decodeMoney(request.amount),
    context: request.context as JsonObject | undefined,
    recorder: callerName(caller),
    groupId: groupId === "" ? undefined : decodeId(groupId),
    ...decodeAgreement(request, windows),
  };
}

/**
 * Ids of version 8 are derived from what they are for, so anybody can guess them: were they free to
 * all, an agent could take the one of an award before the award does.
 */
function reservedFault(field: string, uuid: string, caller: Caller): Fault | undefined {
  if (caller.kind !== "agent" || uuid[14] !== "8") return undefined;
  const description = "must not be of version 8, which services derive their ids in";
  return { field, reason: "RESERVED_VERSION", description };
}

/** A UUID as the books have it: in lower case. */
export function decodeId(uuid: string): string {
  return uuid.toLowerCase();
}

/** An amount that the contract says is present. */
export function decodeMoney(money: MoneyMessage | undefined): Money {
  if (money === undefined) throw new TypeError("an amount is missing");
  return { micros: money.micros, currency: money.currencyCode };
}

/** How requests say which transactions they want. */
export type FilterFields = Omit<
  ListTransactionsRequest,
  "$typeName" | "$unknown" | "pageSize" | "pageToken"
>;

/** Which transactions are wanted. */
export function decodeFilter(request: FilterFields): TransactionFilter {
  const { agentId, role, state, capability, startTime, endTime } = request;
  rejectFaults([textFault("capability", capability)]);
  return {
    agent: agentId === "" ? undefined : agentId,
    role: decodeRole(role),
    state: decodeStates([state])[0],
    capability: capability === "" ? undefined : capability,
    from: decodeTime("start_time", startTime),
    until: decodeTime("end_time", endTime),
  };
}

/** These states; one that the contract does not know is left out. */
export function decodeStates(states: readonly TransactionState[]): readonly State[] {
  const names = Object.keys(STATES) as State[];
  return states.flatMap((state) => names.find((name) => STATES[name] === state) ?? []);
}

/** A state as callers see it. */
export function encodeState(state: State): TransactionState {
  return STATES[state];
}

/** A side, or undefined for both. */
export function decodeRole(role: PartyRole): TransactionFilter["role"] {
  if (role === PartyRole.UNSPECIFIED) return undefined;
  return role === PartyRole.PAYER ? "payer" : "provider";
}

/** A transaction as callers see it. */
export function encodeTransaction(transaction: Transaction): TransactionMessage {
  const { amount, settledAt } = transaction;
  const init: MessageInitShape<typeof TransactionSchema> = {
    transactionId: transaction.id,
    payer: transaction.payer,
    provider: transaction.provider,
    capability: transaction.capability,
    amount: money(amount.micros, amount.currency),
    state: STATES[transaction.state],
    settledAmount: money(transaction.settled, amount.currency),
    recorder: transaction.recorder,
    evidence: encodeEvidence(transaction),
    createTime: timestampFromDate(transaction.createdAt),
    updateTime: timestampFromDate(transaction.updatedAt),
    owedAmount: money(transaction.owed, amount.currency),
    groupId: transaction.groupId ?? "",
    ...encodeAgreement(transaction),
    ...encodeContest(transaction),
  };
  if (transaction.context !== undefined) init.context = transaction.context as never;
  if (settledAt !== undefined) init.settleTime = timestampFromDate(settledAt);
  return create(TransactionSchema, init);
}

/** What the parties of a transaction brought forward, as callers see it. */
export function encodeEvidence({ dispute }: Transaction) {
  return (dispute?.evidence ?? []).map(({ submittedAt, ...piece }) => ({
    ...piece,
    submitTime: timestampFromDate(submittedAt),
  }));
}

/** An account as callers see it. */
export function encodeAccount(account: Account): AccountMessage {
  return create(AccountSchema, {
    owner: account.owner,
    currencyCode: account.currency,
    postedMicros: balance(account),
    heldMicros: account.debitsHeld,
    creditLimitMicros: account.creditLimit,
    availableMicros: available(account),
    createTime: timestampFromDate(account.createdAt),
    debitsPostedMicros: String(account.debitsPosted),
    creditsPostedMicros: String(account.creditsPosted),
    creditsHeldMicros: String(account.creditsHeld),
    owedMicros: account.owed,
    status: AccountStatus[account.status],
  });
}

/** A movement as callers see it. */
export function encodeMovement(line: StatementLine): MovementMessage {
  return create(MovementSchema, {
    movementId: line.id,
    kind: MovementKind[line.kind],
    debitOwner: line.debitOwner,
    creditOwner: line.creditOwner,
    amount: money(line.amount, line.currency),
    reference: line.reference,
    holdId: line.holdId ?? "",
    createTime: timestampFromDate(line.createdAt),
  });
}

/** A status that the contract says is one of these. */
export function decodeStatus(status: AccountStatus): Account["status"] {
  const found = STATUSES.find((name) => AccountStatus[name] === status);
  if (found === undefined) throw new TypeError("a status is missing");
  return found;
}

const STATUSES = ["OPEN", "FROZEN", "CLOSED"] as const;
