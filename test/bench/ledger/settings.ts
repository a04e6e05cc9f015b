import { InvalidArgumentError, Option } from "commander";
import { benchCommand, count, counts, someOf } from "../options.ts";
import type { Showing } from "../program.ts";

/** The parts of the bench beside the peer, in the order in which they are run. */
export const PARTS = ["in-process", "unary", "batch", "open", "sustained", "growth"] as const;
export type Part = (typeof PARTS)[number];

/** How a run of the bench is set up. */
export interface Settings extends Showing {
  /** A server to run on; the embedded one when absent. */
  readonly databaseUrl: string | undefined;
  readonly only: readonly Part[];
  readonly accounts: number;
  /** Of each measurement. */
  readonly seconds: number;
  /** How often what is measured by turns with the peer is. */
  readonly rounds: number;
  readonly sustainedSeconds: number;
  /** Movements stored when the growth is measured. */
  readonly fill: number;
  /** Clients of pgbench. */
  readonly clients: readonly number[];
  /** Callers of the in-process API. */
  readonly callers: readonly number[];
  /** Callers of unary gRPC. */
  readonly unaryCallers: number;
  /** Transactions in one call of batch gRPC, and how many call. */
  readonly parcel: number;
  readonly parcelCallers: number;
}

const USUAL = {
  accounts: 100_000,
  seconds: 10,
  rounds: 3,
  sustained: 60,
  fill: 10_000_000,
  clients: [1, 8, 32],
  callers: [1, 16, 256, 1_024, 4_096],
};

const QUICK = {
  accounts: 10_000,
  seconds: 1,
  rounds: 1,
  sustained: 3,
  fill: 100_000,
  clients: [1, 8],
  callers: [16, 1_024],
};

/** What one call of batch gRPC bears at most. */
const PARCEL_MAX = 8_000;

/**
 * Reads the command line of `bourse bench ledger`, without the program's own name. `complain` is
 * told what is wrong, as text for people.
 * @throws CommanderError when it cannot be read, or only asks for help
 */
export function readSettings(
  parameters: readonly string[],
  complain?: (text: string) => void,
): Settings {
  const command = benchCommand(
    "ledger",
    "Measures the ledger beside pgbench running one transfer per commit, on one durable " +
      "Postgres, and prints ratios and the bars they are held to.",
    complain,
  )
    .option("--database-url <url>", "a server to run on, as a superuser; else the embedded one")
    .addOption(
      new Option("--only <parts>", `of ${PARTS.join(", ")}; the peer always runs`)
        .argParser(someOf(PARTS))
        .default([...PARTS], "all"),
    )
    .option("--accounts <n>", usually("accounts that take part", "accounts"), accounts)
    .option("--seconds <n>", usually("length of each measurement", "seconds"), count)
    .option("--rounds <n>", usually("how often each ratio is measured", "rounds"), count)
    .option("--sustained <n>", usually("seconds of the sustained one", "sustained"), count)
    .option("--fill <n>", usually("movements stored when growth is measured", "fill"), count)
    .option("--clients <list>", usually("clients of pgbench", "clients"), counts)
    .option("--callers <list>", usually("callers of the in-process API", "callers"), counts)
    .option("--unary-callers <n>", "callers of unary gRPC", count, 256)
    .option("--parcel <n>", "transactions in one batch call", parcel, 1_000)
    .option("--parcel-callers <n>", "callers of batch gRPC", count, 8);
  command.parse(parameters, { from: "user" });
  const given = command.opts();
  const basis = given["quick"] === true ? QUICK : USUAL;
  const chosen = <K extends keyof typeof USUAL>(name: K): (typeof USUAL)[K] =>
    given[name] ?? basis[name];
  return {
    json: given["json"] === true,
    check: given["check"] === true,
    databaseUrl: given["databaseUrl"],
    only: given["only"],
    accounts: chosen("accounts"),
    seconds: chosen("seconds"),
    rounds: chosen("rounds"),
    sustainedSeconds: chosen("sustained"),
    fill: chosen("fill"),
    clients: chosen("clients"),
    callers: chosen("callers"),
    unaryCallers: given["unaryCallers"],
    parcel: given["parcel"],
    parcelCallers: given["parcelCallers"],
  };
}

function usually(says: string, name: keyof typeof USUAL): string {
  return `${says} (default: ${USUAL[name]}; quick: ${QUICK[name]})`;
}

function accounts(text: string): number {
  if (count(text) >= 2) return count(text);
  throw new InvalidArgumentError("It takes two accounts to trade.");
}

function parcel(text: string): number {
  if (count(text) <= PARCEL_MAX) return count(text);
  throw new InvalidArgumentError(`It bears at most ${PARCEL_MAX.toLocaleString("en")}.`);
}
