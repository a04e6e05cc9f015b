import { callerName } from "../src/caller.ts";
import type { Command } from "../src/command.ts";
import { PRECEDENCE, type Reason } from "../src/refusal.ts";
import type { Terms } from "../src/transaction.ts";
import { endingOf, type ModelTransaction, shareOf } from "./model-transaction.ts";

type Of<K extends Command["kind"]> = Extract<Command, { kind: K }>;

interface ModelAccount {
  posted: bigint;
  held: bigint;
  /** What others hold for it. */
  coming: bigint;
  limit: bigint;
  owed: bigint;
  status: string;
}

interface State {
  /** By `owner currency`. */
  accounts: Record<string, ModelAccount>;
  transactions: Record<string, ModelTransaction>;
  burnt: Record<string, string>;
  transfers: Record<string, { content: string; burnt: boolean }>;
}

/**
 * The rules of the books in the plainest way: numbers in objects, one command after the other, and
 * a copy of all where something may have to be undone.
 */
export function createModel() {
  let state: State = { accounts: {}, transactions: {}, burnt: {}, transfers: {} };
  /** Accounts that the command has changed: those pay what they owe. */
  let touched = new Set<string>();
  let now = 0;

  function account(key: string): ModelAccount {
    state.accounts[key] ??= {
      posted: 0n,
      held: 0n,
      coming: 0n,
      limit: 0n,
      owed: 0n,
      status: "OPEN",
    };
    return state.accounts[key];
  }

  function touch(key: string): ModelAccount {
    touched.add(key);
    return account(key);
  }

  function pay(from: string, to: string, micros: bigint): void {
    touch(from).posted -= micros;
    touch(to).posted += micros;
  }

  /** Holds at one for another, or with a negative amount ends that. */
  function hold(from: string, to: string, micros: bigint): void {
    touch(from).held += micros;
    touch(to).coming += micros;
  }

  function owe(found: ModelTransaction, micros: bigint): void {
    if (micros !== found.owed) touch(found.provider).owed += micros - found.owed;
    found.owed = micros;
  }

  const own = (key: string) => account(key).posted - account(key).held;

  function record({ terms }: Of<"record">): string {
    const { id, payer: payerName, provider: providerName } = terms;
    const { micros, currency } = terms.amount;
    if (payerName === providerName) return "SAME_PARTY";
    const content = contentOf(terms);
    const first = state.transactions[id];
    const firstContent = first?.content ?? state.burnt[id];
    if (firstContent !== undefined && firstContent !== content) return "TRANSACTION_ID_REUSED";
    if (first !== undefined) return first.state;
    if (firstContent !== undefined) return "TRANSACTION_ID_BURNT";
    const others = Object.values(state.transactions).filter(
      ({ groupId, recorder }) => groupId === terms.groupId && recorder !== terms.recorder,
    );
    if (terms.groupId !== undefined && others.length > 0) return "NOT_GROUP_RECORDER";
    const [payer, provider] = [`${payerName} ${currency}`, `${providerName} ${currency}`];
    const lack = lackOf(payer, provider, micros);
    if (lack !== undefined) {
      state.burnt[id] = content;
      return lack;
    }
    hold(payer, provider, micros);
    state.transactions[id] = {
      ...{ id, content, payer, provider, payerName, providerName, currency, amount: micros },
      ...{ groupId: terms.groupId, recorder: terms.recorder },
      ...{ holdMs: terms.holdMs, createdAt: now, state: "PENDING" },
      ...{ delivery: terms.delivery, arbitration: terms.arbitration },
      ...{ settled: 0n, owed: 0n, frozen: 0n, ruled: false },
      ...{ settledAt: undefined, delivered: undefined, dispute: undefined },
    };
    return "PENDING";
  }

  function lackOf(payer: string, provider: string, micros: bigint): string | undefined {
    const { status, limit } = account(payer);
    if (status === "CLOSED" || account(provider).status === "CLOSED") return "ACCOUNT_CLOSED";
    if (status === "FROZEN") return "ACCOUNT_FROZEN";
    return own(payer) + limit < micros ? "INSUFFICIENT_FUNDS" : undefined;
  }

  function settle({ id, amount, caller }: Of<"settle">): string {
    const found = state.transactions[id];
    if (found === undefined) return "TRANSACTION_NOT_FOUND";
    if (found.recorder !== callerName(caller)) return "NOT_TRANSACTION_PARTY";
    if (found.state !== "PENDING" && found.state !== "SETTLED") return "INVALID_TRANSACTION_STATE";
    if (amount !== undefined && amount.currency !== found.currency) return "CURRENCY_MISMATCH";
    const micros = amount?.micros ?? found.amount;
    if (micros > found.amount) return "AMOUNT_EXCEEDS_HOLD";
    if (found.state === "SETTLED") {
      return micros === found.settled ? "SETTLED" : "ALREADY_SETTLED_DIFFERENTLY";
    }
    hold(found.payer, found.provider, -found.amount);
    pay(found.payer, found.provider, micros);
    Object.assign(found, { state: "SETTLED", settled: micros, settledAt: now });
    return "SETTLED";
  }

  function cancel({ id, caller }: Of<"cancel">): string {
    const found = state.transactions[id];
    if (found === undefined) return "TRANSACTION_NOT_FOUND";
    if (found.recorder !== callerName(caller)) return "NOT_TRANSACTION_PARTY";
    if (found.state === "CANCELLED") return "CANCELLED";
    if (found.state !== "PENDING") return "INVALID_TRANSACTION_STATE";
    hold(found.payer, found.provider, -found.amount);
    found.state = "CANCELLED";
    return "CANCELLED";
  }

  function deliver({ id, sha256, reference }: Of<"deliver">): string {
    const found = state.transactions[id];
    if (found === undefined) return "TRANSACTION_NOT_FOUND";
    const { delivered } = found;
    const isSame = delivered?.sha256 === sha256 && delivered.reference === reference;
    if (isSame) return found.state;
    const isOpen = found.state === "PENDING" || found.state === "DISPUTED";
    if (!isOpen || found.dispute?.wasSettled) return "INVALID_TRANSACTION_STATE";
    if (delivered !== undefined) return "ALREADY_DELIVERED_DIFFERENTLY";
    found.delivered = { at: now, sha256, reference };
    return found.state;
  }

  function dispute({ id, windows }: Of<"dispute">): string {
    const found = state.transactions[id];
    if (found === undefined) return "TRANSACTION_NOT_FOUND";
    if (found.state === "CANCELLED") return "INVALID_TRANSACTION_STATE";
    if (found.ruled) return "DISPUTE_ALREADY_DECIDED";
    if (found.state === "DISPUTED") return "DISPUTED";
    const wasSettled = found.state === "SETTLED";
    if (wasSettled && now >= (found.settledAt ?? 0) + windows.disputeMs) return "DISPUTE_TOO_LATE";
    const { payer, provider } = found;
    if ([payer, provider].some((key) => account(key).status === "CLOSED")) return "ACCOUNT_CLOSED";
    const { evidenceMs, rulingMs } = found.arbitration ?? windows;
    const evidenceDue = now + evidenceMs;
    const rulingDue = evidenceDue + rulingMs;
    found.dispute = { wasSettled, evidenceDue, rulingDue, evidence: [], votes: [] };
    found.state = "DISPUTED";
    if (!wasSettled) return "DISPUTED";
    const there = own(provider) > 0n ? own(provider) : 0n;
    found.frozen = least(there, found.settled);
    if (found.frozen > 0n) hold(provider, payer, found.frozen);
    owe(found, found.settled - found.frozen);
    return "DISPUTED";
  }

  function evidence({ id, caller, evidence: pieces }: Of<"evidence">): string {
    const found = state.transactions[id];
    if (found === undefined || !isNamed(found, caller.id)) return "TRANSACTION_NOT_FOUND";
    if (!isParty(found, caller.id)) return "NOT_TRANSACTION_PARTY";
    const { dispute: open } = found;
    if (found.state !== "DISPUTED" || open === undefined) return "INVALID_TRANSACTION_STATE";
    const fresh = pieces
      .map(({ note }) => ({ submitter: caller.id, note }))
      .filter(({ submitter, note }) =>
        open.evidence.every((old) => old.submitter !== submitter || old.note !== note),
      );
    if (fresh.length > 0 && now >= open.evidenceDue) return "EVIDENCE_TOO_LATE";
    open.evidence.push(...fresh);
    return found.state;
  }

  function vote({ id, caller, providerShareBps: share, reason }: Of<"vote">): string {
    const found = state.transactions[id];
    if (found === undefined || !isNamed(found, caller.id)) return "TRANSACTION_NOT_FOUND";
    if (isParty(found, caller.id)) return "NOT_ARBITRATOR";
    const votes = found.dispute?.votes ?? [];
    const before = votes.find(({ arbitrator }) => arbitrator === caller.id);
    if (before?.share === share && before.reason === reason) return found.state;
    if (found.state !== "DISPUTED") return "INVALID_TRANSACTION_STATE";
    if (before !== undefined) votes.splice(votes.indexOf(before), 1);
    votes.push({ arbitrator: caller.id, share, reason, at: now });
    return found.state;
  }

  function resolve({ id, providerShareBps }: Of<"resolve">): string {
    const found = state.transactions[id];
    if (found === undefined) return "TRANSACTION_NOT_FOUND";
    if (found.state !== "DISPUTED") return "INVALID_TRANSACTION_STATE";
    return end(found, providerShareBps);
  }

  /** Ends a hold or a dispute with a share for the provider. */
  function end(found: ModelTransaction, bps: number): string {
    const { payer, provider, dispute: contest } = found;
    const share = shareOf(contest?.wasSettled ? found.settled : found.amount, bps);
    if (contest?.wasSettled) {
      const back = found.settled - share;
      const there = least(back, found.frozen);
      if (found.frozen > 0n) hold(provider, payer, -found.frozen);
      if (found.frozen > 0n) pay(provider, payer, there);
      owe(found, back - there);
    } else {
      hold(payer, provider, -found.amount);
      pay(payer, provider, share);
    }
    found.state = share > 0n ? "SETTLED" : "CANCELLED";
    if (share > 0n) found.settledAt ??= now;
    Object.assign(found, { settled: share, frozen: 0n, ruled: contest !== undefined });
    return found.state;
  }

  function endWhenDue(id: string): void {
    const found = state.transactions[id];
    if (found?.state !== "PENDING" && found?.state !== "DISPUTED") return;
    const { at, share } = endingOf(found);
    if (at <= now) end(found, share);
  }

  /** Takes what is owed from whoever has something of its own, debt by debt in order. */
  function collect(): void {
    const debtors = [...touched];
    for (const key of debtors) {
      const debts = Object.values(state.transactions)
        .filter(({ provider, owed }) => provider === key && owed > 0n)
        .toSorted((a, b) => (a.id < b.id ? -1 : 1));
      for (const found of debts) {
        const taken = least(own(key), found.owed);
        if (taken <= 0n) break;
        if (account(found.payer).status === "CLOSED") continue;
        owe(found, found.owed - taken);
        if (found.state === "DISPUTED") {
          found.frozen += taken;
          hold(key, found.payer, taken);
        } else {
          pay(key, found.payer, taken);
          debtors.push(found.payer);
        }
      }
    }
  }

  function transfer(command: Of<"transfer">): string {
    const { transfer: kind, id, owner, amount, taskId } = command;
    const content = JSON.stringify([owner, String(amount.micros), amount.currency, taskId]);
    const first = state.transfers[`${kind} ${id}`];
    if (first !== undefined && first.content !== content) return `${kind}_ID_REUSED`;
    if (first !== undefined) return first.burnt ? "WITHDRAWAL_ID_BURNT" : "ok";
    const key = `${owner} ${amount.currency}`;
    const isOut = kind === "WITHDRAWAL";
    const { status } = account(key);
    const lack =
      status === "CLOSED"
        ? "ACCOUNT_CLOSED"
        : isOut && status === "FROZEN"
          ? "ACCOUNT_FROZEN"
          : isOut && own(key) < amount.micros
            ? "INSUFFICIENT_FUNDS"
            : undefined;
    if (lack !== undefined && !isOut) return lack;
    state.transfers[`${kind} ${id}`] = { content, burnt: lack !== undefined };
    if (lack !== undefined) return lack;
    pay("outside", key, isOut ? -amount.micros : amount.micros);
    return "ok";
  }

  function setStatus({ owner, currency, status }: Of<"status">): string {
    const found = account(`${owner} ${currency}`);
    const isEmpty = [found.posted, found.held, found.coming, found.owed].every((n) => n === 0n);
    if (status === "CLOSED" && found.status !== "CLOSED" && !isEmpty) return "ACCOUNT_NOT_EMPTY";
    if (found.status !== status) touch(`${owner} ${currency}`).status = status;
    return "ok";
  }

  function setLimit({ owner, limit }: Of<"limit">): string {
    const key = `${owner} ${limit.currency}`;
    if (account(key).limit !== limit.micros) touch(key).limit = limit.micros;
    return "ok";
  }

  /** All or none; the id that was burnt stays burnt. */
  function linked(commands: readonly Command[]): readonly string[] {
    const before = structuredClone({ state, touched });
    const outcomes: string[] = [];
    for (const command of commands) {
      const outcome = run(command);
      outcomes.push(outcome);
      if (!isRefusal(outcome)) continue;
      const { burnt } = state;
      ({ state, touched } = before);
      const { id } = command.kind === "record" ? command.terms : { id: "" };
      if (burnt[id] !== undefined) state.burnt[id] = burnt[id];
      const failed = outcomes.length - 1;
      return commands.map((_, nth) => (nth === failed ? outcome : "LINKED_ENTRY_FAILED"));
    }
    return outcomes;
  }

  function group({ deed, id, caller }: Of<"group">): string {
    const members = Object.values(state.transactions)
      .filter(({ groupId }) => groupId === id)
      .map((member) => member.id)
      .toSorted();
    if (members.length === 0) return "GROUP_NOT_FOUND";
    const commands = members.map(
      (member): Command =>
        deed === "settle"
          ? { kind: "settle", id: member, amount: undefined, caller }
          : { kind: "cancel", id: member, caller },
    );
    const outcomes = linked(commands);
    if (!outcomes.some(isRefusal)) return outcomes.join();
    const alone = commands.flatMap((command) => linked([command]));
    // Of those that were done, nothing stays: the group was refused before.
    return PRECEDENCE.find(
      (reason) => reason !== "LINKED_ENTRY_FAILED" && [...outcomes, ...alone].includes(reason),
    ) as Reason;
  }

  function obey(command: Command): string {
    switch (command.kind) {
      case "record":
        return record(command);
      case "settle":
        return settle(command);
      case "cancel":
        return cancel(command);
      case "deliver":
        return deliver(command);
      case "dispute":
        return dispute(command);
      case "evidence":
        return evidence(command);
      case "vote":
        return vote(command);
      case "due":
        return state.transactions[command.id]?.state ?? "TRANSACTION_NOT_FOUND";
      case "resolve":
        return resolve(command);
      case "transfer":
        return transfer(command);
      case "limit":
        return setLimit(command);
      case "status":
        return setStatus(command);
      case "linked":
        return linked(command.commands).join();
      case "group":
        return undone(() => group(command));
    }
  }

  /** Undoes what a refused deed has tried. */
  function undone(deed: () => string): string {
    const before = structuredClone({ state, touched });
    const outcome = deed();
    if (isRefusal(outcome)) ({ state, touched } = before);
    return outcome;
  }

  /** Does one command and names its outcome; what is due is done before and after. */
  function run(command: Command): string {
    const id = idOf(command);
    endWhenDue(id);
    const outcome = obey(command);
    endWhenDue(id);
    collect();
    return isRefusal(outcome) || id === "" ? outcome : (state.transactions[id]?.state ?? outcome);
  }

  return {
    /** Does one command at a time and names its outcome; those of a group with commas between. */
    run(command: Command, at: Date): string {
      now = at.getTime();
      touched = new Set();
      return run(command);
    },
    /** By `owner currency`. */
    account,
    transactions: (): readonly ModelTransaction[] => Object.values(state.transactions),
    /** A text that changes with all but the ids that were burnt. */
    print: () => JSON.stringify({ ...state, burnt: {} }, (_, value) => printed(value)),
  };
}

function contentOf({ id: _, context: __, ...terms }: Terms): string {
  return JSON.stringify(terms, (_key, value) => printed(value));
}

function printed(value: unknown): unknown {
  return typeof value === "bigint" ? String(value) : value;
}

function idOf(command: Command): string {
  if (command.kind === "record") return command.terms.id;
  if (command.kind === "transfer" || command.kind === "group") return "";
  return "id" in command ? command.id : "";
}

function isRefusal(outcome: string): boolean {
  return PRECEDENCE.includes(outcome as Reason);
}

function isParty({ payerName, providerName }: ModelTransaction, agent: string): boolean {
  return agent === payerName || agent === providerName;
}

function isNamed(found: ModelTransaction, agent: string): boolean {
  return isParty(found, agent) || found.arbitration?.arbitrators.includes(agent) === true;
}

function least(a: bigint, b: bigint): bigint {
  return a < b ? a : b;
}
