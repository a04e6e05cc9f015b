import { execFileSync, spawnSync } from "node:child_process";

/** A system account that Postgres runs under instead of root. */
export interface Account {
  readonly uid: number;
  readonly gid: number;
}

/**
 * The account to run a new server under: undefined for an ordinary user, who runs it as themselves;
 * under root the system user `postgres`, or else `nobody`, because Postgres refuses to run as root.
 */
export function serverAccount(): Account | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const account = lookUp("postgres") ?? lookUp("nobody");
  if (account === undefined) {
    throw new Error("Postgres does not run as root, and there is no user postgres or nobody");
  }
  return account;
}

/** Whether `account` can execute (or, for a folder, enter) and read `path`. */
export function canReach(path: string, account: Account | undefined): boolean {
  // Asked of the system, since modes alone do not tell what access lists and other policies add.
  const { status } = spawnSync("/bin/sh", ["-c", 'test -r "$0" && test -x "$0"', path], {
    cwd: "/",
    stdio: "ignore",
    ...account,
  });
  return status === 0;
}

function lookUp(name: string): Account | undefined {
  try {
    return { uid: numberOf("-u", name), gid: numberOf("-g", name) };
  } catch {
    return undefined;
  }
}

function numberOf(flag: "-u" | "-g", name: string): number {
  const id = Number(execFileSync("id", [flag, name], { encoding: "utf8", stdio: "pipe" }));
  // macOS prints the id of nobody as -2.
  return id >>> 0;
}
