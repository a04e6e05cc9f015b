import { Option } from "commander";
import { benchCommand, count, counts, someOf } from "../options.ts";
import type { Showing } from "../program.ts";

/** The parts of the bench; agents are registered and changed in each. */
export const PARTS = ["register", "select", "search", "anew", "ready", "etcd"] as const;
export type Part = (typeof PARTS)[number];

/** How a run of the bench is set up. */
export interface Settings extends Showing {
  readonly only: readonly Part[];
  /** Sizes of the market that are measured, ascending. */
  readonly agents: readonly number[];
  /** Of each measurement. */
  readonly seconds: number;
  /** How often each is measured at each size. */
  readonly rounds: number;
  /** Of the load, and the calls under way on each. */
  readonly connections: number;
  readonly streams: number;
  /** Profiles that are changed in a second meanwhile. */
  readonly changes: number;
  /** A Redis to use; one of its own when absent. */
  readonly redisUrl: string | undefined;
  /** Where the cost curve is drawn. */
  readonly plot: string | undefined;
  /** Where CPU profiles of discovery are written; nothing is profiled when absent. */
  readonly profile: string | undefined;
}

const USUAL = {
  agents: [1_000, 10_000, 100_000, 1_000_000],
  seconds: 5,
  rounds: 3,
  connections: 8,
  streams: 32,
};
const QUICK = { agents: [1_000, 5_000], seconds: 1, rounds: 1, connections: 4, streams: 4 };

/**
 * Reads the command line of `bourse bench discovery`, without the program's own name. `complain` is
 * told what is wrong, as text for people.
 * @throws CommanderError when it cannot be read, or only asks for help
 */
export function readSettings(
  parameters: readonly string[],
  complain?: (text: string) => void,
): Settings {
  const command = benchCommand(
    "discovery",
    "Measures discovery beside an empty grpc-js server, while profiles change, and prints ratios " +
      "and the bars they are held to.",
    complain,
  )
    .addOption(
      new Option("--only <parts>", `of ${PARTS.join(", ")}; agents are registered in any case`)
        .argParser(someOf(PARTS))
        .default([...PARTS], "all"),
    )
    .option("--agents <list>", usually("sizes of the market", "agents"), counts)
    .option("--seconds <n>", usually("length of each measurement", "seconds"), count)
    .option("--rounds <n>", usually("how often each is measured", "rounds"), count)
    .option("--connections <n>", usually("connections of the load", "connections"), count)
    .option("--streams <n>", usually("calls under way on each of them", "streams"), count)
    .option("--changes <n>", "profiles that are changed in a second meanwhile", count, 1_000)
    .option("--plot <file>", "draw the cost curve into this SVG")
    .option("--profile <folder>", "write CPU profiles of discovery, and tell what takes the time");
  command.parse(parameters, { from: "user" });
  const given = command.opts();
  const basis = given["quick"] === true ? QUICK : USUAL;
  const agents: readonly number[] = given["agents"] ?? basis.agents;
  return {
    json: given["json"] === true,
    check: given["check"] === true,
    only: given["only"],
    agents: [...new Set(agents)].sort((a, b) => a - b),
    seconds: given["seconds"] ?? basis.seconds,
    rounds: given["rounds"] ?? basis.rounds,
    connections: given["connections"] ?? basis.connections,
    streams: given["streams"] ?? basis.streams,
    changes: given["changes"],
    redisUrl: process.env["REDIS_URL"],
    plot: given["plot"],
    profile: given["profile"],
  };
}

function usually(says: string, name: keyof typeof USUAL): string {
  return `${says} (default: ${USUAL[name]}; quick: ${QUICK[name]})`;
}
