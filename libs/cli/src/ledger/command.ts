import { Command, Option } from "commander";
import { DEFAULT_DATA } from "../place.ts";
import { exportHistory } from "./export.ts";
import { addFilterOptions } from "./filter.ts";
import { FORMATS } from "./lines.ts";
import { addProofCommands } from "./proof/commands.ts";
import { REPORT_FORMATS, writeReport } from "./report.ts";
import { SUMMARY_KEYS, summarize } from "./summary.ts";

const data = () =>
  new Option("--data <folder>", "the market that runs on this folder").default(DEFAULT_DATA);

/** `bourse ledger`: what is read and proved of the books from the command line. */
export function ledgerCommand(): Command {
  const ledger = new Command("ledger").description(
    "read and prove the books of a running market (as an auditor, or with BOURSE_TOKEN of the environment)",
  );
  addFilterOptions(
    ledger.command("export").description("write transactions with their movements, oldest first"),
    "with state",
  )
    .addOption(
      new Option(
        "--format <format>",
        "jsonl: a transaction per line; csv: a movement per line; reputation: a credit per line",
      )
        .choices([...Object.keys(FORMATS), "reputation"])
        .default("jsonl"),
    )
    .option("--out <file>", "write there instead of to the standard output")
    .option("--resume <token>", "go on where an export with the same filter broke off")
    .addOption(data())
    .action(exportHistory);
  addFilterOptions(
    ledger.command("summary").description("sum up what was earned, is pending, is disputed"),
    "without state",
  )
    .addOption(
      new Option("--by <key>", "sum up by this; default: all in one").choices(SUMMARY_KEYS),
    )
    .option("--zone <name>", "where days begin and end, such as Europe/Berlin", "UTC")
    .option("--json", "print one JSON document instead")
    .addOption(data())
    .action(summarize);
  ledger
    .command("report")
    .description("write the record of processing activities (Article 30 GDPR) of a period")
    .option("--from <time>", "only events at or after: 2026-11-01 or 2026-11-01T08:00:00Z")
    .option("--to <time>", "only events before; default: now (and --from: thirty days before)")
    .addOption(
      new Option("--format <format>", "html: a page for people; json and csv: for programs")
        .choices(Object.keys(REPORT_FORMATS))
        .default("json"),
    )
    .option("--out <file>", "write there instead of to the standard output")
    .addOption(data())
    .action(writeReport);
  addProofCommands(ledger);
  return ledger;
}
