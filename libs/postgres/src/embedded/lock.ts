import { randomUUID } from "node:crypto";
import { link, readFile, rename, rm, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { processMark } from "./process.ts";

/** A folder held by this process. */
export interface Lock {
  release(): Promise<void>;
}

/**
 * Takes the lock file at `path`, or takes it over from a process that no longer runs.
 * @throws when a living process holds it
 */
export async function takeLock(path: string): Promise<Lock> {
  const mine = JSON.stringify({
    pid: process.pid,
    mark: processMark(process.pid),
    id: randomUUID(),
  });
  const draft = `${path}.${randomUUID()}`;
  try {
    await writeFile(draft, mine, { mode: 0o644 }).catch((cause: NodeJS.ErrnoException) => {
      throw new Error(`cannot write to ${dirname(path)}: ${cause.message}`, { cause });
    });
    // A link appears whole or not at all, so nobody reads a half-written lock.
    while (!(await linked(draft, path))) await removeDead(path);
  } finally {
    await rm(draft, { force: true });
  }
  return {
    release: async () => {
      if ((await read(path)) === mine) await rm(path, { force: true });
    },
  };
}

async function linked(draft: string, path: string): Promise<boolean> {
  try {
    await link(draft, path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
}

async function removeDead(path: string): Promise<void> {
  const held = await read(path);
  if (held === undefined) return;
  const holder = parse(held);
  if (holder !== undefined && processMark(holder.pid) === holder.mark) {
    throw new Error(`${path} is held: process ${holder.pid} uses this database`);
  }
  // Moved before it is removed: by now it may be the new lock of another who took over.
  const aside = `${path}.${randomUUID()}`;
  await rename(path, aside).catch(() => {});
  if ((await read(aside)) !== held) await linked(aside, path).catch(() => {});
  await rm(aside, { force: true });
}

function read(path: string): Promise<string | undefined> {
  return readFile(path, "utf8").catch(() => undefined);
}

function parse(text: string): { readonly pid: number; readonly mark: string } | undefined {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
