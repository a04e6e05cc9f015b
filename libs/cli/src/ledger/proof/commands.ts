import { type Command, Option } from "commander";
import { DEFAULT_DATA } from "../../place.ts";
import { checkConsistencyFiles, checkProofFile } from "./check.ts";
import { checkpoint, key, prove, proveConsistency } from "./prove.ts";
import { verify } from "./verify.ts";
import { witness } from "./witness.ts";

const data = () =>
  new Option("--data <folder>", "the market that runs on this folder").default(DEFAULT_DATA);
const json = () => new Option("--json", "print one JSON document instead");
const signed = () =>
  new Option("--key <verifier key>", "a key that must have signed: ./bourse ledger key prints it");

/** Adds what proves the books, and what checks proofs without a market. */
export function addProofCommands(ledger: Command): void {
  ledger
    .command("verify")
    .description("prove the books and the journal of a running market; exit code 1 when they fail")
    .addOption(json())
    .addOption(data())
    .action(verify);
  ledger
    .command("checkpoint")
    .description("print the state of the journal's log: keep it, it is what proofs lead to")
    .option("--size <batches>", "as it was when it had so many batches")
    .addOption(data())
    .action(checkpoint);
  ledger
    .command("prove")
    .description("print a proof that a movement or event stands in the log")
    .argument("<id>", "id of the movement or event")
    .option("--checkpoint <file>", "in the log as it was at this checkpoint, not as it is now")
    .addOption(data())
    .action(prove);
  ledger
    .command("prove-consistency")
    .description("print a proof that an older log is the beginning of a newer")
    .argument("<older>", "file with a checkpoint")
    .argument("<newer>", "file with a checkpoint")
    .addOption(data())
    .action(proveConsistency);
  ledger
    .command("witness")
    .description(
      "keep a checkpoint once it is proved to continue the one before; exit code 1 when it does not",
    )
    .argument("<folder>", "where checkpoints are kept, one to a file")
    .option("--every <seconds>", "again and again, until Ctrl-C")
    .addOption(signed())
    .addOption(data())
    .action(witness);
  ledger
    .command("key")
    .description("print the key that checks the signatures of a running market's checkpoints")
    .addOption(data())
    .action(key);
  ledger
    .command("check-proof")
    .description("check a proof offline; exit code 1 when it fails")
    .argument("<proof>", "file with the proof")
    .option("--checkpoint <file>", "a checkpoint of your own that it must lead to")
    .addOption(signed())
    .addOption(json())
    .action(checkProofFile);
  ledger
    .command("check-consistency")
    .description("check offline that nothing was rewritten between two checkpoints")
    .argument("<older>", "file with a checkpoint")
    .argument("<newer>", "file with a checkpoint")
    .argument("<proof>", "file with the proof of consistency")
    .addOption(signed())
    .addOption(json())
    .action(checkConsistencyFiles);
}
