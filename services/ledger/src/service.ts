import {
  CancelTransactionResponseSchema,
  type LedgerService,
  RecordTransactionResponseSchema,
  SettleTransactionResponseSchema,
} from "@bourse/proto/bourse/ledger/v1/ledger_service_pb.ts";
import { cancellationOf, encoded } from "@bourse/rpc";
import { encodePageToken, pageSize } from "@bourse/rpc/page";
import type { DescMessage } from "@bufbuild/protobuf";
import type { HandlerContext, ServiceImpl } from "@connectrpc/connect";
import type { Account } from "./account.ts";
import { callerOf, refusalOf, transactionOf } from "./answer.ts";
import { batches } from "./batch-service.ts";
import type { Answer, Happening } from "./books.ts";
import {
  decodeFilter,
  decodeId,
  decodeMoney,
  decodeStatus,
  decodeTerms,
  encodeAccount,
  encodeMovement,
  encodeTransaction,
  termsFaults,
} from "./codec.ts";
import type { Command, TransferCommand } from "./command.ts";
import { disputes } from "./dispute-service.ts";
import { fitting, namingFaults, rejectFaults, textFault } from "./limit.ts";
import { accountCursor, transactionCursor } from "./page.ts";
import type { Queue } from "./queue.ts";
import type { StatementStore } from "./statement.ts";
import { statements } from "./statement-service.ts";
import type { LedgerStore } from "./store.ts";
import { maySee, notFound } from "./transaction.ts";
import { encodeOnlyTransaction } from "./transaction-bytes.ts";
import type { Windows } from "./windows.ts";
import type { Rail } from "./x402/rail.ts";
import { settlements } from "./x402/settlement-service.ts";

/** What the books are served with. */
export interface LedgerOptions {
  readonly store: LedgerStore;
  readonly statements: StatementStore;
  /** Commits commands, with others that come at the same time; answers when they are durable. */
  readonly submit: Queue["submit"];
  /** Is told of what a unit of work outside of `submit` has made durable. */
  readonly tell: (happenings: readonly Happening[]) => void;
  /** How long steps last where nothing was agreed. */
  readonly windows: Windows;
  /** What may be paid by x402. */
  readonly rails: readonly Rail[];
  readonly now: () => Date;
}

const DIVERGENCES_MAX = 100;
const HOLDS_MAX = 1_000;

/** Serves the books. */
export function ledgerService(options: LedgerOptions): ServiceImpl<typeof LedgerService> {
  return {
    ...escrow(options),
    ...batches(options),
    ...disputes(options),
    ...transfers(options),
    ...queries(options),
    ...settlements(options),
    ...statements(options),
    async eraseAgent({ agentId, alias }, ctx) {
      await options.store.erase(agentId, alias, ctx);
      return {};
    },
  };
}

function escrow(options: LedgerOptions) {
  const { submit, windows } = options;
  /** Answers with a response that has only the transaction. */
  async function transact<O extends DescMessage>(output: O, command: Command, ctx: HandlerContext) {
    const [answer] = await submit([command], { signal: cancellationOf(ctx) });
    return encoded(output, encodeOnlyTransaction(transactionOf(answer)));
  }

  async function resolveGroup(deed: "settle" | "cancel", groupId: string, ctx: HandlerContext) {
    const id = decodeId(groupId);
    const command = { kind: "group", deed, id, caller: callerOf(ctx) } as const;
    const [answer] = await submit([command], { signal: cancellationOf(ctx) });
    if (answer?.kind !== "group") throw refusalOf(answer);
    return { transactions: answer.answers.map((each) => encodeTransaction(transactionOf(each))) };
  }

  return {
    recordTransaction: (request, ctx) => {
      const caller = callerOf(ctx);
      rejectFaults(termsFaults("", request, caller));
      const terms = decodeTerms(request, caller, "", windows);
      return transact(RecordTransactionResponseSchema, { kind: "record", terms }, ctx);
    },

    settleTransaction: ({ transactionId, amount: money }, ctx) => {
      const amount = money && decodeMoney(money);
      const which = { id: decodeId(transactionId), caller: callerOf(ctx) };
      return transact(SettleTransactionResponseSchema, { kind: "settle", ...which, amount }, ctx);
    },

    settleGroup: ({ groupId }, ctx) => resolveGroup("settle", groupId, ctx),

    cancelGroup: ({ groupId }, ctx) => resolveGroup("cancel", groupId, ctx),

    cancelTransaction: ({ transactionId }, ctx) => {
      const which = { id: decodeId(transactionId), caller: callerOf(ctx) };
      return transact(CancelTransactionResponseSchema, { kind: "cancel", ...which }, ctx);
    },
  } satisfies Partial<ServiceImpl<typeof LedgerService>>;
}

function transfers({ submit }: LedgerOptions) {
  async function move(command: Command, ctx: HandlerContext) {
    const [answer] = await submit([command], { signal: cancellationOf(ctx) });
    return { account: encodeAccount(accountOf(answer)) };
  }

  return {
    deposit: ({ depositId, owner, amount }, ctx) => {
      rejectFaults(namingFaults("deposit_id", depositId, owner));
      return move(transferCommand("DEPOSIT", depositId, owner, amount), ctx);
    },

    withdraw: ({ withdrawalId, owner, amount }, ctx) => {
      rejectFaults(namingFaults("withdrawal_id", withdrawalId, owner));
      return move(transferCommand("WITHDRAWAL", withdrawalId, owner, amount), ctx);
    },

    postCredits: ({ creditId, agentId, amount, taskId }, ctx) => {
      rejectFaults([textFault("task_id", taskId)]);
      return move({ ...transferCommand("CREDIT", creditId, agentId, amount), taskId }, ctx);
    },

    setCreditLimit: ({ owner, creditLimit }, ctx) =>
      move({ kind: "limit", owner, limit: decodeMoney(creditLimit) }, ctx),

    setAccountStatus: ({ owner, currencyCode: currency, status }, ctx) =>
      move({ kind: "status", owner, currency, status: decodeStatus(status) }, ctx),
  } satisfies Partial<ServiceImpl<typeof LedgerService>>;
}

function queries({ store }: LedgerOptions) {
  return {
    async getTransaction({ transactionId }, ctx) {
      const id = decodeId(transactionId);
      const found = await store.findTransaction(id, ctx);
      if (found === undefined || !maySee(found.transaction, callerOf(ctx))) throw notFound(id);
      return {
        transaction: encodeTransaction(found.transaction),
        movements: found.movements.map(encodeMovement),
      };
    },

    async listTransactions({ pageSize: size, pageToken, ...request }, ctx) {
      const { $typeName, $unknown, ...asked } = request;
      const filter = decodeFilter(request);
      const after = transactionCursor(asked, pageToken);
      const found = await store.listTransactions(filter, after, pageSize(size), ctx);
      const page = fitting(found.transactions, (row) => row.context);
      const next = page.length < found.transactions.length ? page.at(-1) : found.next;
      return {
        transactions: page.map(encodeTransaction),
        nextPageToken: next ? encodePageToken(asked, [next.createdAt.toISOString(), next.id]) : "",
      };
    },

    async getBalances({ owner }, ctx) {
      const query = { signal: ctx.signal, holdsMax: HOLDS_MAX };
      const { accounts, openHolds } = await store.balances(owner, query);
      return { accounts: accounts.map(encodeAccount), openHolds: openHolds.map(encodeMovement) };
    },

    async listAccounts({ pageSize: size, pageToken, currencyCode }, ctx) {
      const after = accountCursor(currencyCode, pageToken);
      const currency = currencyCode === "" ? undefined : currencyCode;
      const limit = pageSize(size);
      const rows = await store.listAccounts(currency, after, limit + 1, ctx);
      const page = rows.slice(0, limit);
      const last = page.at(-1);
      const more = last !== undefined && page.length < rows.length;
      return {
        accounts: page.map(encodeAccount),
        nextPageToken: more ? encodePageToken(currencyCode, [last.owner, last.currency]) : "",
      };
    },

    async verify(_request, ctx) {
      const query = { signal: ctx.signal, divergencesMax: DIVERGENCES_MAX };
      const { divergences, ...counts } = await store.verify(query);
      return { ok: divergences.length === 0, ...counts, divergences: [...divergences] };
    },
  } satisfies Partial<ServiceImpl<typeof LedgerService>>;
}

function accountOf(answer: Answer | undefined): Account {
  if (answer?.kind !== "account") throw refusalOf(answer);
  return answer.account;
}

function transferCommand(
  transfer: TransferCommand["transfer"],
  id: string,
  owner: string,
  amount: Parameters<typeof decodeMoney>[0],
): TransferCommand {
  return { kind: "transfer", transfer, id, owner, amount: decodeMoney(amount), taskId: "" };
}
