import { type Checkpoint, checkConsistency, checkProof, type ProofFault } from "@bourse/proof";
import pc from "picocolors";
import { readCheckpoint, readJson, readText } from "./files.ts";

interface CheckOptions {
  readonly checkpoint?: string;
  readonly key?: string;
  readonly json?: boolean;
}

/** `bourse ledger check-proof`: checks a proof without a market; exits 1 when it fails. */
export function checkProofFile(file: string, { checkpoint, key, json }: CheckOptions): void {
  if (checkpoint !== undefined) readCheckpoint(checkpoint);
  const own = checkpoint === undefined ? undefined : readText(checkpoint);
  const verdict = checkProof(readJson(file), { checkpoint: own, key });
  if (!verdict.ok) {
    fail(verdict, json);
    return;
  }
  const { entry, batch, checkpoint: proved } = verdict;
  if (json) {
    print({ ok: true, entry, batch: { ...batch, root: hex(batch.root) }, log: told(proved) });
    return;
  }
  console.log(JSON.stringify(entry, undefined, 2));
  const place = `batch ${batch.sequence}, written ${batch.recordedAt}`;
  console.log(`${pc.green("proved")}: it stands in ${place},`);
  console.log(`in the log ${proved.origin} of ${proved.size} batches`);
  if (own === undefined && key === undefined) {
    console.log("The checkpoint is the proof's own: hold it against one that you trust, with");
    console.log("--checkpoint or --key.");
  }
}

/** `bourse ledger check-consistency`: the same for two checkpoints. */
export function checkConsistencyFiles(
  older: string,
  newer: string,
  proof: string,
  { key, json }: Pick<CheckOptions, "key" | "json">,
): void {
  const [from, to] = [readCheckpoint(older), readCheckpoint(newer)];
  const verdict = checkConsistency(readText(older), readText(newer), readJson(proof), { key });
  if (!verdict.ok) {
    fail(verdict, json);
    return;
  }
  if (json) print({ ok: true, older: told(from), newer: told(to) });
  else {
    const sizes = `the log of ${from.size} batches is the beginning of that of ${to.size}`;
    console.log(`${pc.green("consistent")}: ${sizes}`);
  }
}

function fail(fault: ProofFault, json: boolean | undefined): void {
  process.exitCode = 1;
  if (json) print(fault);
  else console.error(`${pc.red("not proved")}: ${fault.problem} (step ${fault.step})`);
}

function told({ origin, size, root }: Checkpoint) {
  return { origin, size, root: hex(root) };
}

function print(document: object): void {
  console.log(JSON.stringify(document, undefined, 2));
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}
