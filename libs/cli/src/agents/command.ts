import { Command, Option } from "commander";
import { DEFAULT_DATA } from "../place.ts";
import { exportAgents } from "./export.ts";
import { importAgents } from "./import.ts";
import { READERS } from "./read.ts";
import { FORMATS } from "./write.ts";

const data = () =>
  new Option("--data <folder>", "the market that runs on this folder").default(DEFAULT_DATA);

/** `bourse agents`: all agents, from a file and into one. */
export function agentsCommand(): Command {
  const agents = new Command("agents").description(
    "register and write down the agents of a running market (with its key, or with BOURSE_TOKEN of the environment)",
  );
  agents
    .command("import")
    .description("register the agents of a file; those registered just so are left as they are")
    .argument("<file>", "YAML as examples/agents.yaml, or JSON lines; - for the standard input")
    .addOption(
      new Option("--format <format>", "default: by the file's name, else jsonl").choices(
        Object.keys(READERS),
      ),
    )
    .option("--replace", "replace agents that are registered otherwise, keeping their reputation")
    .option("--stop-at-fault", "stop at the first agents that cannot be registered")
    .option("--check", "tell what would be, and change nothing")
    .option("--skip <n>", "leave out the first agents, to go on where an import broke off", "0")
    .addOption(data())
    .action(importAgents);
  agents
    .command("export")
    .description("write all registered agents by id, as import takes them")
    .addOption(
      new Option("--format <format>", "jsonl: an agent per line; yaml: as their authors write")
        .choices(Object.keys(FORMATS))
        .default("jsonl"),
    )
    .option("--out <file>", "write there instead of to the standard output")
    .option("--after <agent>", "go on behind this agent, where an export broke off")
    .addOption(data())
    .action(exportAgents);
  return agents;
}
