import { Command, Option } from "commander";
import { DEFAULT_DATA } from "../place.ts";
import { exportHistory } from "./export.ts";
import { addFilterOptions } from "./filter.ts";
import { FORMATS } from "./lines.ts";
import { addProofCommands } from "./proof/commands.ts";

const data = () =>
  new Option("--data <folder>", "the market that runs on this folder").default(DEFAULT_DATA);

/** `bourse ledger`: what is read and proved of the books from the command line. */
export function ledgerCommand(): Command {
  const ledger = new Command("ledger").description(
    "read and prove the books of a running market (as an auditor, or with BOURSE_TOKEN of the environment)",
  );
  addFilterOptions(
    ledger.command("export").description("write transactions with their movements, oldest first"),
  )
    .addOption(
      new Option("--format <format>", "jsonl: a transaction per line; csv: a movement per line")
        .choices(Object.keys(FORMATS))
        .default("jsonl"),
    )
    .option("--out <file>", "write there instead of to the standard output")
    .option("--resume <token>", "go on where an export with the same filter broke off")
    .addOption(data())
    .action(exportHistory);
  addProofCommands(ledger);
  return ledger;
}
