import type { Command } from "../src/command.ts";

/** The rules of the books in the plainest way: numbers in maps, one command after the other. */
export function createModel() {
  const posted = new Map<string, bigint>();
  const held = new Map<string, bigint>();
  const limits = new Map<string, bigint>();
  const transactions = new Map<string, ModelTransaction>();
  const burnt = new Map<string, string>();
  const transfers = new Map<string, { content: string; burnt: boolean }>();

  const get = (map: Map<string, bigint>, key: string) => map.get(key) ?? 0n;
  const add = (map: Map<string, bigint>, key: string, micros: bigint) =>
    map.set(key, get(map, key) + micros);
  const pay = (from: string, to: string, micros: bigint) => {
    add(posted, from, -micros);
    add(posted, to, micros);
  };

  function record({ terms }: Extract<Command, { kind: "record" }>): string {
    if (terms.payer === terms.provider) return "SAME_PARTY";
    const content = JSON.stringify([terms.payer, terms.provider, money(terms.amount)]);
    const first = transactions.get(terms.id);
    const firstContent = first?.content ?? burnt.get(terms.id);
    if (firstContent !== undefined && firstContent !== content) return "TRANSACTION_ID_REUSED";
    if (first !== undefined) return first.state;
    if (firstContent !== undefined) return "TRANSACTION_ID_BURNT";
    const payer = `${terms.payer} ${terms.amount.currency}`;
    const provider = `${terms.provider} ${terms.amount.currency}`;
    const spendable = get(posted, payer) - get(held, payer) + get(limits, payer);
    if (spendable < terms.amount.micros) {
      burnt.set(terms.id, content);
      return "INSUFFICIENT_FUNDS";
    }
    add(held, payer, terms.amount.micros);
    transactions.set(terms.id, {
      content,
      payer,
      provider,
      amount: terms.amount.micros,
      currency: terms.amount.currency,
      state: "PENDING",
      settled: 0n,
      owed: 0n,
      frozen: 0n,
      wasPaid: false,
      ruled: false,
    });
    return "PENDING";
  }

  function settle({ id, amount }: Extract<Command, { kind: "settle" }>): string {
    const found = transactions.get(id);
    if (found === undefined) return "TRANSACTION_NOT_FOUND";
    if (found.state !== "PENDING" && found.state !== "SETTLED") return "INVALID_TRANSACTION_STATE";
    if (amount !== undefined && amount.currency !== found.currency) return "CURRENCY_MISMATCH";
    const micros = amount?.micros ?? found.amount;
    if (micros > found.amount) return "AMOUNT_EXCEEDS_HOLD";
    if (found.state === "SETTLED") {
      return micros === found.settled ? "SETTLED" : "ALREADY_SETTLED_DIFFERENTLY";
    }
    add(held, found.payer, -found.amount);
    pay(found.payer, found.provider, micros);
    Object.assign(found, { state: "SETTLED", settled: micros, wasPaid: true });
    return "SETTLED";
  }

  function cancel({ id }: Extract<Command, { kind: "cancel" }>): string {
    const found = transactions.get(id);
    if (found === undefined) return "TRANSACTION_NOT_FOUND";
    if (found.state === "CANCELLED") return "CANCELLED";
    if (found.state !== "PENDING") return "INVALID_TRANSACTION_STATE";
    add(held, found.payer, -found.amount);
    found.state = "CANCELLED";
    return "CANCELLED";
  }

  function dispute({ id }: Extract<Command, { kind: "dispute" }>): string {
    const found = transactions.get(id);
    if (found === undefined) return "TRANSACTION_NOT_FOUND";
    if (found.state === "CANCELLED") return "INVALID_TRANSACTION_STATE";
    if (found.ruled) return "DISPUTE_ALREADY_DECIDED";
    if (found.state === "SETTLED") {
      const own = get(posted, found.provider) - get(held, found.provider);
      found.frozen = own >= found.settled ? found.settled : own > 0n ? own : 0n;
      found.owed = found.settled - found.frozen;
      add(held, found.provider, found.frozen);
    }
    found.state = "DISPUTED";
    return "DISPUTED";
  }

  function resolve({ id, providerShareBps }: Extract<Command, { kind: "resolve" }>): string {
    const found = transactions.get(id);
    if (found === undefined) return "TRANSACTION_NOT_FOUND";
    if (found.state !== "DISPUTED") return "INVALID_TRANSACTION_STATE";
    const all = found.wasPaid ? found.settled : found.amount;
    const exact = (Number(all) * providerShareBps) / 10_000;
    const share = BigInt(exact - Math.floor(exact) > 0.5 ? Math.ceil(exact) : Math.floor(exact));
    if (found.wasPaid) {
      add(held, found.provider, -found.frozen);
      const back = all - share < found.frozen ? all - share : found.frozen;
      pay(found.provider, found.payer, back);
      found.owed = all - share - back;
    } else {
      add(held, found.payer, -found.amount);
      pay(found.payer, found.provider, share);
    }
    const state = share > 0n ? "SETTLED" : "CANCELLED";
    Object.assign(found, { state, settled: share, ruled: true });
    return state;
  }

  /** Takes what is owed from whoever has something of its own, debt by debt in order. */
  function collect(): void {
    const debts = [...transactions].filter(([, { owed }]) => owed > 0n).sort();
    for (const [, found] of debts) {
      const own = get(posted, found.provider) - get(held, found.provider);
      const taken = least(own, found.owed);
      if (taken <= 0n) continue;
      found.owed -= taken;
      if (found.state === "DISPUTED") {
        found.frozen += taken;
        add(held, found.provider, taken);
      } else {
        pay(found.provider, found.payer, taken);
      }
      collect();
      return;
    }
  }

  function transfer(command: Extract<Command, { kind: "transfer" }>): string {
    const { transfer: kind, id, owner, amount, taskId } = command;
    const content = JSON.stringify([owner, money(amount), taskId]);
    const first = transfers.get(`${kind} ${id}`);
    if (first !== undefined && first.content !== content) return `${kind}_ID_REUSED`;
    if (first !== undefined) return first.burnt ? "WITHDRAWAL_ID_BURNT" : "ok";
    const account = `${owner} ${amount.currency}`;
    const lacks =
      kind === "WITHDRAWAL" && get(posted, account) - get(held, account) < amount.micros;
    transfers.set(`${kind} ${id}`, { content, burnt: lacks });
    if (lacks) return "INSUFFICIENT_FUNDS";
    if (kind === "WITHDRAWAL") pay(account, "outside", amount.micros);
    else pay("outside", account, amount.micros);
    return "ok";
  }

  function obey(command: Command): string {
    switch (command.kind) {
      case "record":
        return record(command);
      case "settle":
        return settle(command);
      case "cancel":
        return cancel(command);
      case "dispute":
        return dispute(command);
      case "resolve":
        return resolve(command);
      case "transfer":
        return transfer(command);
      case "limit":
        limits.set(`${command.owner} ${command.limit.currency}`, command.limit.micros);
        return "ok";
      default:
        throw new Error(`the model knows no ${command.kind}`);
    }
  }

  return {
    /** Does one command and names its outcome. */
    run(command: Command): string {
      const outcome = obey(command);
      collect();
      return outcome;
    },
    /** The amounts of one account, by `owner currency`. */
    account: (key: string) => ({
      posted: get(posted, key),
      held: get(held, key),
      creditLimit: get(limits, key),
    }),
    /** What is left to the provider and to be asked back, by transaction. */
    transactions: (): ReadonlyMap<string, ModelTransaction> => transactions,
  };
}

interface ModelTransaction {
  readonly content: string;
  /** `owner currency` */
  readonly payer: string;
  /** `owner currency` */
  readonly provider: string;
  readonly amount: bigint;
  readonly currency: string;
  state: string;
  settled: bigint;
  owed: bigint;
  frozen: bigint;
  wasPaid: boolean;
  ruled: boolean;
}

function money({ micros, currency }: { micros: bigint; currency: string }): string {
  return `${micros} ${currency}`;
}

function least(a: bigint, b: bigint): bigint {
  return a < b ? a : b;
}
