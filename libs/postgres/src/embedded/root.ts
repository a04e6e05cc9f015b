import { chmod, lstat, mkdir } from "node:fs/promises";
import { dirname } from "node:path";
import { type Account, canReach } from "./account.ts";

/** Folders to try, in order, for what must lie where the account of the server can reach it. */
export const REACHABLE_ROOTS: readonly string[] = ["/var/lib/bourse", "/var/tmp/bourse"];

/**
 * The first of `candidates` that is (or becomes) a folder of ours that only we can write to and
 * that `account` can enter.
 */
export async function trustedRoot(
  candidates: readonly string[],
  account: Account | undefined,
): Promise<string> {
  const refusals: string[] = [];
  for (const candidate of candidates) {
    const refusal = await refuse(candidate, account);
    if (refusal === undefined) return candidate;
    refusals.push(`${candidate} ${refusal}`);
  }
  throw new Error(`no folder that the Postgres account can reach: ${refusals.join("; ")}`);
}

async function refuse(path: string, account: Account | undefined): Promise<string | undefined> {
  try {
    await makeFolder(path);
    // Not stat: a link planted in a folder that all may write to would lead elsewhere.
    const found = await lstat(path);
    if (!found.isDirectory()) return "is no folder";
    if (found.uid !== process.getuid?.()) return `belongs to uid ${found.uid}`;
    if ((found.mode & 0o022) !== 0) return "can be written to by others";
    if ((found.mode & 0o777) !== 0o755) await chmod(path, 0o755);
  } catch (error) {
    return `failed: ${error instanceof Error ? error.message : String(error)}`;
  }
  return canReach(path, account) ? undefined : "cannot be entered by the Postgres account";
}

/** Makes a folder, with those above it, that others can enter whatever the umask is. */
export async function makeFolder(path: string): Promise<void> {
  const first = await mkdir(path, { recursive: true, mode: 0o755 });
  if (first === undefined) return;
  for (let made = path; made.length >= first.length; made = dirname(made)) await chmod(made, 0o755);
}
