import { Command, Option } from "commander";
import { DEFAULT_DATA } from "../place.ts";
import { leaderboard, VIEWS } from "./leaderboard.ts";
import { explainReputation } from "./reputation.ts";

const data = () =>
  new Option("--data <folder>", "the market that runs on this folder").default(DEFAULT_DATA);

/** `bourse leaderboard` and `bourse reputation`: how agents have done. */
export function reputationCommands(): readonly Command[] {
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
  return [board, reputation];
}
