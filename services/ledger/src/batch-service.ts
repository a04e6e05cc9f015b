import { RefusalReason, TransactionState } from "@bourse/proto/bourse/ledger/v1/ledger_pb.ts";
import type {
  BatchEntry,
  BatchResultSchema,
  LedgerService,
} from "@bourse/proto/bourse/ledger/v1/ledger_service_pb.ts";
import { principalKey } from "@bourse/rpc";
import { type Fault, Rejection } from "@bourse/rpc/rejection";
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { ServiceImpl } from "@connectrpc/connect";
import type { Answer } from "./books.ts";
import { type Caller, callerName } from "./caller.ts";
import { decodeId, decodeMoney, decodeTerms, termsFaults } from "./codec.ts";
import type { Command } from "./command.ts";
import { rejectFaults } from "./limit.ts";
import type { Queue } from "./queue.ts";
import type { Reason } from "./refusal.ts";
import type { Windows } from "./windows.ts";

/** Serves many deeds in one call. */
export function batches({
  submit,
  windows,
}: Pick<Queue, "submit"> & { readonly windows: Windows }) {
  return {
    async batchRecordTransactions({ entries }, ctx) {
      const caller = ctx.values.get(principalKey);
      const groups = entries.map(({ groupId }) => decodeId(groupId));
      const firsts = firstsOf(groups);
      rejectFaults(
        entries.flatMap((entry, nth) => [
          ...entryFaults(entry, nth, caller),
          splitFault(groups, firsts, nth),
        ]),
      );
      rejectOthers(entries, caller);
      const commands = linkGroups(entries, groups, (entry) => decodeEntry(entry, caller, windows));
      const answers = await submit(commands, ctx);
      return { results: answers.flatMap(flatten).map(encodeResult) };
    },
  } satisfies Partial<ServiceImpl<typeof LedgerService>>;
}

function entryFaults(
  { deed }: BatchEntry,
  nth: number,
  caller: Caller,
): readonly (Fault | undefined)[] {
  return deed.case === "record" ? termsFaults(`entries[${nth}].record.`, deed.value, caller) : [];
}

/** Where each group begins. */
function firstsOf(groups: readonly string[]): ReadonlyMap<string, number> {
  const firsts = new Map<string, number>();
  groups.forEach((group, nth) => {
    if (!firsts.has(group)) firsts.set(group, nth);
  });
  return firsts;
}

/** What belongs together stands together: else its order among the others would be a riddle. */
function splitFault(
  groups: readonly string[],
  firsts: ReadonlyMap<string, number>,
  nth: number,
): Fault | undefined {
  const group = groups[nth] ?? "";
  const first = firsts.get(group);
  if (group === "" || first === nth || groups[nth - 1] === group) return undefined;
  const description = `must stand next to entries[${first}], which has the same`;
  return { field: `entries[${nth}].group_id`, reason: "GROUP_SPLIT", description };
}

function rejectOthers(entries: readonly BatchEntry[], caller: Caller): void {
  if (caller.kind !== "agent") return;
  const nth = entries.findIndex(
    ({ deed }) => deed.case === "record" && deed.value.payer !== caller.id,
  );
  if (nth === -1) return;
  const field = `entries[${nth}].record.payer`;
  throw new Rejection("PERMISSION_DENIED", `${field} is not ${callerName(caller)}`, {
    metadata: { field },
  });
}

function linkGroups(
  entries: readonly BatchEntry[],
  groups: readonly string[],
  decode: (entry: BatchEntry) => Command,
): readonly Command[] {
  const linked: Command[] = [];
  let group: Command[] = [];
  entries.forEach((entry, nth) => {
    const command = decode(entry);
    if (groups[nth] === "") {
      linked.push(command);
      return;
    }
    if (groups[nth - 1] !== groups[nth]) {
      group = [];
      linked.push({ kind: "linked", commands: group });
    }
    group.push(command);
  });
  return linked;
}

function decodeEntry({ deed, groupId }: BatchEntry, caller: Caller, windows: Windows): Command {
  switch (deed.case) {
    case "record":
      return { kind: "record", terms: decodeTerms(deed.value, caller, groupId, windows) };
    case "settle": {
      const { transactionId, amount } = deed.value;
      const id = decodeId(transactionId);
      return { kind: "settle", id, amount: amount && decodeMoney(amount), caller };
    }
    case "cancel":
      return { kind: "cancel", id: decodeId(deed.value.transactionId), caller };
    default:
      throw new TypeError("an entry has no deed");
  }
}

function flatten(answer: Answer): readonly Answer[] {
  return answer.kind === "group" ? answer.answers : [answer];
}

function encodeResult(answer: Answer): MessageInitShape<typeof BatchResultSchema> {
  if (answer.kind === "transaction") return { state: TransactionState[answer.transaction.state] };
  if (answer.kind !== "refused") throw new TypeError("an entry was answered with another thing");
  const { reason, message, metadata } = answer.refusal;
  return { refusal: { reason: RefusalReason[reason as Reason], message, metadata } };
}
