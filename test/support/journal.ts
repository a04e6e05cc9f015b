import { randomUUID } from "node:crypto";
import type { Connection } from "@bourse/client";
import { TransactionState } from "@bourse/proto/bourse/ledger/v1/ledger_pb.ts";
import type { BatchRecordTransactionsResponse } from "@bourse/proto/bourse/ledger/v1/ledger_service_pb.ts";
import type { Chance } from "./chance.ts";

type Ledger = Connection["ledger"];

/** How a transaction is to end. */
export type End = "none" | "settle" | "part" | "cancel";

/** What a client knows of a call: whether it was sent, and whether an answer came. */
export type Known = "unsent" | "unknown" | "acknowledged";

/** A transaction in the journal that a client keeps for itself. */
export interface Line {
  readonly transactionId: string;
  readonly payer: string;
  readonly provider: string;
  readonly micros: number;
  readonly end: End;
  /** The batch that it is recorded with, "" when alone. */
  readonly batch: string;
  recorded: Known;
  ended: Known;
}

/** A call that can be sent again as it is. */
export interface Call {
  readonly send: (ledger: Ledger) => Promise<unknown>;
  /** Writes down what is known of it now. */
  readonly note: (known: Known) => void;
}

/** Owners who never run out of money. */
export const OWNERS = ["ann", "bob", "carl", "dan"];

const LONE = 5;

/** So many micros of EUR, as a request bears them. */
export function euros(micros: number) {
  return { micros: BigInt(micros), currencyCode: "EUR" };
}

/** A transaction by chance. */
export function aLine(chance: Chance, wish: Partial<Line> = {}): Line {
  const payer = chance.oneOf(OWNERS);
  return {
    transactionId: randomUUID(),
    payer,
    provider: chance.oneOf(OWNERS.filter((owner) => owner !== payer)),
    micros: 2 + chance.below(1_000),
    end: chance.oneOf<End>(["none", "settle", "settle", "part", "cancel"]),
    batch: "",
    recorded: "unsent",
    ended: "unsent",
    ...wish,
  };
}

/** What the provider gets in the end. */
export function paidBy({ end, micros }: Line): number {
  if (end === "part") return Math.floor(micros / 2);
  return end === "settle" ? micros : 0;
}

/** How it stands in the end. */
export function endStateOf({ end }: Line): TransactionState {
  if (end === "none") return TransactionState.PENDING;
  return end === "cancel" ? TransactionState.CANCELLED : TransactionState.SETTLED;
}

/** How many movements it takes: to hold, and to pay, to release or both. */
export function movementsOf({ end }: Line): number {
  return { none: 1, settle: 2, part: 3, cancel: 2 }[end];
}

/** One call to record a transaction and one to end it. */
export function singly(line: Line): readonly Call[] {
  const { transactionId } = line;
  const record: Call = {
    send: (ledger) => ledger.recordTransaction(recordOf(line)),
    note: (known) => {
      line.recorded = known;
    },
  };
  const finish: Call = {
    send: (ledger) =>
      line.end === "cancel"
        ? ledger.cancelTransaction({ transactionId })
        : ledger.settleTransaction(settleOf(line)),
    note: (known) => {
      line.ended = known;
    },
  };
  return line.end === "none" ? [record] : [record, finish];
}

/**
 * Several transactions in one call, three of them linked, and one call to end the three and one to
 * end the others.
 */
export function together(chance: Chance): { lines: readonly Line[]; calls: readonly Call[] } {
  const groupId = randomUUID();
  const end = chance.oneOf<End>(["settle", "cancel"]);
  const linked = Array.from({ length: 3 }, () => aLine(chance, { batch: groupId, end }));
  const lone = Array.from({ length: LONE }, () =>
    aLine(chance, { batch: groupId, end: chance.oneOf<End>(["settle", "part", "cancel"]) }),
  );
  const note = (lines: readonly Line[], part: "recorded" | "ended") => (known: Known) => {
    for (const line of lines) line[part] = known;
  };
  const lines = [...linked, ...lone];
  const record: Call = {
    note: note(lines, "recorded"),
    send: (ledger) =>
      inBatch(ledger, [
        ...linked.map((line) => ({ deed: deed("record", recordOf(line)), groupId })),
        ...lone.map((line) => ({ deed: deed("record", recordOf(line)), groupId: "" })),
      ]),
  };
  const finish: Call = {
    note: note(lone, "ended"),
    send: (ledger) =>
      inBatch(
        ledger,
        lone.map((line) => ({
          deed:
            line.end === "cancel"
              ? deed("cancel", { transactionId: line.transactionId })
              : deed("settle", settleOf(line)),
          groupId: "",
        })),
      ),
  };
  const finishGroup: Call = {
    note: note(linked, "ended"),
    send: (ledger) =>
      end === "cancel" ? ledger.cancelGroup({ groupId }) : ledger.settleGroup({ groupId }),
  };
  return { lines, calls: [record, finishGroup, finish] };
}

type Entries = Parameters<Ledger["batchRecordTransactions"]>[0]["entries"];

async function inBatch(ledger: Ledger, entries: Entries): Promise<void> {
  const { results }: BatchRecordTransactionsResponse = await ledger.batchRecordTransactions({
    entries: entries ?? [],
  });
  const refused = results.flatMap(({ refusal }) => refusal?.message ?? []);
  if (refused.length > 0) throw new Error(`entries were refused: ${refused.join("; ")}`);
}

function deed<K extends string, V>(kind: K, value: V) {
  return { case: kind, value };
}

function recordOf({ transactionId, payer, provider, micros }: Line) {
  return { transactionId, payer, provider, capability: "x", amount: euros(micros) };
}

function settleOf(line: Line) {
  return { transactionId: line.transactionId, amount: euros(paidBy(line)) };
}
