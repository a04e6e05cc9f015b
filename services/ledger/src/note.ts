import { createPrivateKey } from "node:crypto";
import { readFile } from "node:fs/promises";
import { type Checkpoint, checkpointText, signCheckpoint } from "@bourse/proof";

/**
 * How checkpoints are written for others to keep: signed when there is a key.
 * @param keyFile a file with an Ed25519 private key as JWK. Its other use is to sign tokens, whose
 * signed bytes hold no newline, while those of a checkpoint always do: neither passes for the other
 */
export async function noteWriter(
  keyFile: string | undefined,
): Promise<(checkpoint: Checkpoint) => string> {
  if (keyFile === undefined) return checkpointText;
  const key = createPrivateKey({ key: JSON.parse(await readFile(keyFile, "utf8")), format: "jwk" });
  return (checkpoint) => signCheckpoint(checkpoint, key);
}
