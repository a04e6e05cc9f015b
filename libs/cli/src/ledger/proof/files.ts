import { readFileSync } from "node:fs";
import { type Checkpoint, CheckpointError, parseCheckpoint } from "@bourse/proof";
import { Failure, messageOf } from "../../failure.ts";

/** Reads a file as text. */
export function readText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    throw new Failure(`${path} cannot be read: ${messageOf(error)}`);
  }
}

/** Reads a file as JSON, whatever it holds. */
export function readJson(path: string): unknown {
  const text = readText(path);
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new Failure(`${path} is not JSON: ${messageOf(error)}`);
  }
}

/** Reads a file with a checkpoint. */
export function readCheckpoint(path: string): Checkpoint {
  const text = readText(path);
  try {
    return parseCheckpoint(text);
  } catch (error) {
    if (!(error instanceof CheckpointError)) throw error;
    throw new Failure(`${path}: ${error.message}`);
  }
}

/** Reads a number of batches; undefined when none is given. */
export function readSize(size: string | undefined): bigint | undefined {
  if (size === undefined) return undefined;
  if (!/^[1-9][0-9]{0,15}$/.test(size)) throw new Failure("--size takes a number of batches");
  return BigInt(size);
}
