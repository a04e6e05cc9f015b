import { Command, Option } from "commander";
import { DEFAULT_DATA } from "../place.ts";
import { listBreakers, resetBreakers } from "./breakers.ts";
import { leaderboard, VIEWS } from "./leaderboard.ts";
import { explainReputation } from "./reputation.ts";

const data = () =>
  new Option("--data <folder>", "the market that runs on this folder").default(DEFAULT_DATA);

/** `bourse leaderboard`, `bourse reputation` and `bourse breakers`: how agents have done, and are doing. */
export function registryCommands(): readonly Command[] {
  const board = new Command("leaderboard")
    .description("rank the agents of a running market that have a record")
    .argument("[capability]", "only those that worked at it and offer it")
    .addOption(
      new Option("--by <view>", "what to rank by")
        .choices(Object.keys(VIEWS))
        .default("reliability"),
    )
    .option("--limit <n>", "how many to show, up to 1,000", "10")
    .option("--json", "print one JSON document instead")
    .addOption(data())
    .action(leaderboard);
  const reputation = new Command("reputation")
    .description("show an agent's reputation and the settled tasks that it rests on")
    .argument("<agent>", "its id")
    .option("--capability <name>", "only tasks of this capability")
    .option("--limit <n>", "how many tasks to show, up to 1,000", "10")
    .option("--json", "print one JSON document instead")
    .addOption(data())
    .action(explainReputation);
  return [board, reputation, breakersCommand()];
}

function breakersCommand(): Command {
  const breakers = new Command("breakers").description(
    "show and close the circuit breakers that keep callers away from failing agents",
  );
  breakers
    .command("list")
    .description("list those that are open, or half open and tried by a few calls")
    .option("--agent <id>", "only those of this agent")
    .option("--capability <name>", "only those at this capability")
    .option("--open", "leave out those that are half open")
    .option("--limit <n>", "how many to show, up to 1,000", "100")
    .option("--json", "print one JSON document instead")
    .addOption(data())
    .action(listBreakers);
  breakers
    .command("reset")
    .description(
      "close a breaker at once and forget what was counted (left alone, it lets a few calls try within a minute)",
    )
    .argument("<agent>", "the agent's id")
    .argument("[capability]", "only the one at this capability")
    .option("--json", "print one JSON document instead")
    .addOption(data())
    .action(resetBreakers);
  return breakers;
}
