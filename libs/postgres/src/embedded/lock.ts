import { execFileSync } from "node:child_process";
import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { link, readFile, rename, rm, writeFile } from "node:fs/promises";

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
  await writeFile(draft, mine, { mode: 0o644 });
  try {
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

/** What tells a process from a later one with the same id; undefined when there is none. */
function processMark(pid: number): string | undefined {
  try {
    if (process.platform !== "linux") {
      return execFileSync("ps", ["-o", "lstart=", "-p", String(pid)], { encoding: "utf8" }).trim();
    }
    const boot = readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    // The 22nd field is the start time; the second may hold spaces and ends with the last ")".
    return `${boot} ${stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19]}`;
  } catch {
    return undefined;
  }
}
