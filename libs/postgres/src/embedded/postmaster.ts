import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import {
  chown,
  mkdir,
  open,
  readFile,
  readlink,
  realpath,
  rename,
  rm,
  writeFile,
} from "node:fs/promises";
import type { Socket } from "node:net";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { Home } from "./home.ts";

/** A Postgres process that accepts connections. */
export interface Postmaster {
  readonly pid: number;
  /** Resolves when the process has ended, for whatever reason. */
  readonly exited: Promise<void>;
}

const START_LIMIT_MS = 120_000;
const FAST_STOP_LIMIT_MS = 15_000;
const POLL_MS = 15;

/** Nothing of the caller's locale or libraries reaches Postgres. */
const ENVIRONMENT = { PATH: "/usr/local/bin:/usr/bin:/bin", LC_ALL: "C", TZ: "UTC" };

/** Creates the files of a new server; they appear under their name only when they are complete. */
export async function createCluster(
  binaries: string,
  home: Home,
  options: { readonly password: string; readonly durable: boolean },
): Promise<void> {
  const draft = join(home.path, "setup");
  await rm(draft, { recursive: true, force: true });
  await mkdir(draft, { mode: 0o700 });
  const passwordFile = join(draft, "password");
  await writeFile(passwordFile, options.password, { mode: 0o600 });
  if (home.account !== undefined) {
    await chown(passwordFile, home.account.uid, home.account.gid);
    await chown(draft, home.account.uid, home.account.gid);
  }
  const flags = [
    `--pgdata=${join(draft, "cluster")}`,
    "--username=postgres",
    `--pwfile=${passwordFile}`,
    "--auth=scram-sha-256",
    "--encoding=UTF8",
    "--locale=C",
    "--locale-provider=builtin",
    "--builtin-locale=C.UTF-8",
    "--no-instructions",
    ...(options.durable ? [] : ["--no-sync"]),
  ];
  const initdb = spawn(join(binaries, "bin", "initdb"), flags, {
    cwd: "/",
    env: ENVIRONMENT,
    stdio: ["ignore", "pipe", "pipe"],
    ...home.account,
  });
  let output = "";
  for (const stream of [initdb.stdout, initdb.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      output += text;
    });
  }
  const [code] = await once(initdb, "close");
  if (code !== 0) throw new Error(`initdb ended with ${code}: ${output.trim().slice(-2_000)}`);
  await rename(join(draft, "cluster"), home.cluster);
  await rm(draft, { recursive: true });
}

/**
 * Starts Postgres and resolves when it accepts connections.
 * @throws with the end of its log when it ends before that
 */
export async function launch(
  binaries: string,
  home: Home,
  settings: Readonly<Record<string, string | number>>,
): Promise<Postmaster> {
  const logPath = join(home.path, "postgres.log");
  const log = await open(logPath, "w", 0o600);
  const flags = Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
  // Detached: a Ctrl-C at the terminal must not stop the database under services that still drain.
  const child = spawn(join(binaries, "bin", "postgres"), ["-D", home.cluster, ...flags], {
    cwd: "/",
    env: ENVIRONMENT,
    stdio: ["ignore", log.fd, log.fd],
    detached: true,
    ...home.account,
  });
  const exited = ended(child);
  try {
    await once(child, "spawn");
    const pid = child.pid as number;
    if (!(await becomesReady(child, home))) {
      if (isRunning(child)) await stopProcess(pid);
      const text = await readFile(logPath, "utf8");
      throw new Error(`Postgres did not start: ${text.trim().slice(-2_000)}`);
    }
    const guard = startGuard(pid, home);
    void exited.then(() => guard.kill("SIGKILL"));
    child.unref();
    return { pid, exited };
  } finally {
    await log.close();
  }
}

/** Stops the server on `cluster` that an earlier process left running, if there is one. */
export async function stopLeftover(cluster: string): Promise<void> {
  const path = join(cluster, "postmaster.pid");
  const pid = Number((await readFile(path, "utf8").catch(() => "")).split("\n")[0]);
  // Postgres itself deals with the file of a process that has ended, and knows better when it may.
  if (!(pid > 1) || !isAlive(pid)) return;
  if (await runsOn(pid, cluster)) await stopProcess(pid);
  else await rm(path);
}

/** Stops a Postgres process: at first so that it closes its files, in the end by force. */
export async function stopProcess(pid: number): Promise<void> {
  for (const signal of ["SIGINT", "SIGQUIT", "SIGKILL"] as const) {
    if (!isAlive(pid)) return;
    process.kill(pid, signal);
    const limit = Date.now() + FAST_STOP_LIMIT_MS;
    while (isAlive(pid) && Date.now() < limit) await delay(POLL_MS);
  }
}

function ended(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    child.once("exit", () => resolve());
    child.once("error", () => resolve());
  });
}

function isRunning(child: ChildProcess): boolean {
  return child.exitCode === null && child.signalCode === null;
}

async function becomesReady(child: ChildProcess, home: Home): Promise<boolean> {
  const limit = Date.now() + START_LIMIT_MS;
  while (isRunning(child) && Date.now() < limit) {
    const file = await readFile(join(home.cluster, "postmaster.pid"), "utf8").catch(() => "");
    const lines = file.split("\n");
    if (Number(lines[0]) === child.pid && lines[7]?.trim() === "ready") return true;
    await delay(POLL_MS);
  }
  return false;
}

/** A shell that stops Postgres when this process ends without doing so, even by SIGKILL. */
function startGuard(pid: number, home: Home): ChildProcess {
  const script = 'while read -r _; do :; done; kill -INT "$0"';
  const guard = spawn("/bin/sh", ["-c", script, String(pid)], {
    cwd: "/",
    env: ENVIRONMENT,
    stdio: ["pipe", "ignore", "ignore"],
    detached: true,
    ...home.account,
  });
  guard.on("error", () => {});
  guard.unref();
  (guard.stdin as unknown as Socket).unref();
  return guard;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

async function runsOn(pid: number, cluster: string): Promise<boolean> {
  try {
    if (process.platform !== "linux") {
      const ps = ["-o", "command=", "-p", String(pid)];
      return execFileSync("ps", ps, { encoding: "utf8" }).includes(cluster);
    }
    // The postmaster works in the folder of its files.
    return (await readlink(`/proc/${pid}/cwd`)) === (await realpath(cluster));
  } catch {
    return false;
  }
}
