import { execFile } from "node:child_process";
import { chmod, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll } from "vitest";
import { createPool } from "../../src/index.ts";

/** The program that `visit` runs. */
export const VISIT = fileURLToPath(new URL("./visit.ts", import.meta.url));

/** A folder for the file that every account can enter, with `roots` for what lies outside. */
export function useFolder(): { readonly path: string; readonly roots: string } {
  let path: string;
  beforeAll(async () => {
    path = await mkdtemp(join(tmpdir(), "bourse-embedded-"));
    await chmod(path, 0o755);
  });
  afterAll(() => rm(path, { recursive: true, force: true }));
  return {
    get path() {
      return path;
    },
    get roots() {
      return join(path, "roots");
    },
  };
}

/** Starts a server in a process of its own, counts the visit in its database, and stops it. */
export async function visit(options: {
  readonly dataDirectory: string;
  readonly roots: string;
  readonly home: string;
  readonly script?: string;
  readonly account?: { readonly uid: number; readonly gid: number };
}): Promise<{ visits: number; pid: number }> {
  const { script = VISIT, dataDirectory, roots, home, account } = options;
  const { stdout } = await promisify(execFile)(process.execPath, [script, dataDirectory, roots], {
    cwd: "/",
    env: { PATH: process.env["PATH"], HOME: home },
    ...account,
  });
  return JSON.parse(stdout);
}

/** The rows that one statement gives. */
export async function ask(url: string, sql: string): Promise<Record<string, unknown>[]> {
  const pool = createPool(url, { max: 1 });
  try {
    return (await pool.query(sql)).rows;
  } finally {
    await pool.end();
  }
}
