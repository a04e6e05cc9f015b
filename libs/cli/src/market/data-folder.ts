import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { Failure } from "../failure.ts";
import { identify, isAlive, type ProcessId } from "./process-id.ts";

/**
 * The version of the layout below and of the schemas in it; a folder of another one is left alone.
 * 1 had the ledger's first schema, on which nothing was released.
 */
const FORMAT = 2;

/** Where an embedded market keeps everything. */
export interface DataFolder {
  readonly root: string;
  readonly keys: string;
  readonly postgres: string;
  readonly logs: string;
}

/** What a running market writes down, so that `status`, `token` and `down` find it. */
export interface RunningMarket {
  readonly supervisor: ProcessId;
  readonly version: string;
  readonly startTime: string;
  readonly services: readonly RunningService[];
}

/** A service of a running market. */
export interface RunningService {
  readonly name: string;
  readonly address: string;
  readonly metricsAddress: string;
  readonly process: ProcessId;
}

/**
 * Opens (or makes) a data folder.
 * @throws Failure when a newer Bourse or one from before the first release wrote it, or when it is
 *   some other folder that is not empty
 */
export function openDataFolder(path: string): DataFolder {
  const root = resolve(path);
  const formatFile = join(root, "FORMAT");
  if (existsSync(formatFile)) {
    const format = Number(readFileSync(formatFile, "utf8").trim());
    if (format < FORMAT) {
      throw new Failure(
        `${root} was written by a Bourse of before the first release (format ${format}), whose books ` +
          "this one cannot read: give another --data, or remove it",
      );
    }
    if (!(format <= FORMAT)) {
      throw new Failure(
        `${root} was written by a newer Bourse (format ${format}, this one knows ${FORMAT}): ` +
          "update this checkout or give another --data",
      );
    }
  } else {
    mkdirSync(root, { recursive: true, mode: 0o700 });
    replaceFile(formatFile, `${FORMAT}\n`);
  }
  const folder = {
    root,
    keys: join(root, "keys"),
    postgres: join(root, "postgres"),
    logs: join(root, "logs"),
  };
  mkdirSync(folder.logs, { recursive: true, mode: 0o700 });
  return folder;
}

/** Whether there is a data folder at `path`. */
export function isDataFolder(path: string): boolean {
  return existsSync(join(resolve(path), "FORMAT"));
}

/**
 * Makes the folder this process's own until disposed.
 * @throws Failure when a market runs on it
 */
export function lockDataFolder(folder: DataFolder): Disposable {
  const file = join(folder.root, "lock");
  for (;;) {
    try {
      writeFileSync(file, JSON.stringify(identify(process.pid)), { flag: "wx", mode: 0o600 });
      return { [Symbol.dispose]: () => rmSync(file, { force: true }) };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    }
    const owner = readJson<ProcessId>(file);
    if (owner !== undefined && isAlive(owner)) {
      throw new Failure(
        `a market (pid ${owner.pid}) runs on ${folder.root} already: ` +
          "stop it with ./bourse down, or give another --data",
      );
    }
    // Its owner died without a goodbye.
    rmSync(file, { force: true });
  }
}

/** Reads what the market on this folder wrote down last, whether or not it still runs. */
export function readRunning(folder: DataFolder): RunningMarket | undefined {
  return readJson<RunningMarket>(join(folder.root, "market.json"));
}

/** Writes down what runs. */
export function writeRunning(folder: DataFolder, market: RunningMarket): void {
  replaceFile(join(folder.root, "market.json"), `${JSON.stringify(market, undefined, 2)}\n`);
}

/** Forgets what ran, after an orderly stop. */
export function forgetRunning(folder: DataFolder): void {
  rmSync(join(folder.root, "market.json"), { force: true });
}

function readJson<T>(file: string): T | undefined {
  try {
    return JSON.parse(readFileSync(file, "utf8")) as T;
  } catch {
    return undefined;
  }
}

/** Readers see the old content or the new, never half of it. */
function replaceFile(file: string, content: string): void {
  const draft = `${file}.${process.pid}`;
  writeFileSync(draft, content, { mode: 0o600 });
  renameSync(draft, file);
}
