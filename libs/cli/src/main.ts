import { readVersion } from "@bourse/service";
import { Command, Option } from "commander";
import pc from "picocolors";
import { agentsCommand } from "./agents/command.ts";
import { runBench } from "./bench.ts";
import { demo } from "./demo/demo.ts";
import { down } from "./down.ts";
import { Failure } from "./failure.ts";
import { ledgerCommand } from "./ledger/command.ts";
import { DEFAULT_DATA, DEMO_DATA } from "./place.ts";
import { registryCommands } from "./registry/commands.ts";
import { status } from "./status.ts";
import { runSuite } from "./suite/suite.ts";
import { token } from "./token.ts";
import { up } from "./up.ts";

const data = (folder: string) =>
  new Option("--data <folder>", "where the market keeps everything").default(folder);
const ports = new Option(
  "--ports <first|auto>",
  "first of four ports in a row (metrics 2000 above), or auto for free ones",
);

const program = new Command("bourse")
  .description("A task market for AI agents")
  .version(await readVersion())
  .showHelpAfterError();

program
  .command("demo")
  .description("bring up a market, play one task from post to payment, stop again")
  .argument("[task]", "a task file", "examples/tasks/iso-construction.yaml")
  .option("--agents <file>", "the agents that take part", "examples/agents.yaml")
  .option("--what-if", "go through the same phases and change nothing")
  .option("--seed <n>", "makes the simulated execution repeatable", "1")
  .option("--json", "print one JSON document instead")
  .addOption(data(DEMO_DATA))
  .addOption(new Option("--ports <first|auto>", "as for up").default("auto"))
  .action(demo);

program
  .command("up")
  .description("keep a market running until Ctrl-C; its data stays")
  .addOption(data(DEFAULT_DATA))
  .addOption(ports)
  .option(
    "--workers <n>",
    "processes of discovery that share its port; more than 1 need REDIS_URL",
    "1",
  )
  .addOption(
    new Option("--log <format>", "also show the services' logs").choices(["json", "pretty"]),
  )
  .action(up);

program
  .command("status")
  .description("show a running market: health, versions, addresses, counts")
  .option("--json", "print one JSON document instead")
  .addOption(data(DEFAULT_DATA))
  .action(status);

program
  .command("down")
  .description("stop a market left running")
  .addOption(data(DEFAULT_DATA))
  .action(down);

program
  .command("token")
  .description("mint a bearer token for the embedded market")
  .option("--agent <id>", "for the agent of this id")
  .option("--operator", "for an operator")
  .option("--auditor", "for an auditor")
  .option("--service <name>", "for a service")
  .option("--ttl <duration>", "how long it is good for, such as 30m or 24h", "24h")
  .addOption(data(DEFAULT_DATA))
  .action(token);

program.addCommand(agentsCommand());
program.addCommand(ledgerCommand());
for (const command of registryCommands()) program.addCommand(command);

program
  .command("test")
  .description("check format, types, contracts and architecture, and run every test")
  .option("--only <part>", "one part: format, types, contracts, units or stories")
  .action(runSuite);

const bench = program
  .command("bench")
  .description("measure a part of the market beside a peer, and hold it to its bars");
for (const [name, description] of Object.entries({
  ledger: "the ledger beside pgbench running one transfer per commit",
  discovery: "discovery beside an empty grpc-js server, while profiles change",
})) {
  bench
    .command(name)
    .description(description)
    .usage("[--json] [--check] [--quick] [...], all told by --help")
    // The program that measures reads them itself.
    .argument("[options...]")
    .allowUnknownOption()
    .helpOption(false)
    .action((parameters: readonly string[]) => runBench(name, parameters));
}

try {
  await program.parseAsync();
} catch (error) {
  if (!(error instanceof Failure)) throw error;
  console.error(`${pc.red("bourse:")} ${error.message}`);
  process.exitCode = 1;
}
