import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import {
  chown,
  constants,
  mkdir,
  open,
  readdir,
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
import { isAlive, signalProcess } from "./process.ts";

/** A Postgres process that accepts connections. */
export interface Postmaster {
  readonly pid: number;
  /** Resolves when the process has ended, for whatever reason; waiting for it keeps no program running. */
  readonly exited: Promise<void>;
  /** Ends the process, unless it has ended by itself, and waits for that. */
  stop(): Promise<void>;
}

/** Appended to: else children of a server that was killed write over what the next one says. */
const NEW_LOG = constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC | constants.O_APPEND;
const START_LIMIT_MS = 120_000;
const FAST_STOP_LIMIT_MS = 15_000;
const POLL_MS = 15;

/** Nothing of the caller's locale or libraries reaches Postgres. */
const ENVIRONMENT = { PATH: "/usr/local/bin:/usr/bin:/bin", LC_ALL: "C", TZ: "UTC" };

/** Becomes the command that follows when a line comes, and nothing when its parent has died. */
const BEHIND_GATE = 'read -r _ || exit; exec "$0" "$@" </dev/null';

/** Creates the files of a new server; they appear under their name only when they are complete. */
export async function createCluster(
  binaries: string,
  home: Home,
  options: { readonly password: string; readonly durable: boolean },
): Promise<void> {
  await removeDrafts(home.path);
  try {
    const draft = join(home.path, `setup-${randomUUID()}`);
    await initialize(binaries, draft, { ...options, account: home.account });
    await rename(join(draft, "cluster"), home.cluster);
  } finally {
    // Also after a failure: it may have been for want of space.
    await removeDrafts(home.path);
  }
}

async function initialize(
  binaries: string,
  draft: string,
  options: {
    readonly password: string;
    readonly durable: boolean;
    readonly account: Home["account"];
  },
): Promise<void> {
  await mkdir(draft, { mode: 0o700 });
  const passwordFile = join(draft, "password");
  await writeFile(passwordFile, options.password, { mode: 0o600 });
  if (options.account !== undefined) {
    await chown(passwordFile, options.account.uid, options.account.gid);
    await chown(draft, options.account.uid, options.account.gid);
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
    ...options.account,
  });
  let output = "";
  for (const stream of [initdb.stdout, initdb.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      output += text;
    });
  }
  const [code] = await once(initdb, "close");
  if (code !== 0) throw new Error(`initdb ended with ${code}: ${output.trim().slice(-2_000)}`);
}

async function removeDrafts(path: string): Promise<void> {
  const drafts = (await readdir(path)).filter((name) => name.startsWith("setup"));
  // The initdb of a killed process may still write to one; the next start removes that, then.
  const removing = drafts.map((name) => rm(join(path, name), { recursive: true, force: true }));
  await Promise.allSettled(removing);
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
  const log = await open(logPath, NEW_LOG, 0o600);
  const flags = Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
  const guard = startGuard(home);
  const command = [join(binaries, "bin", "postgres"), "-D", home.cluster, ...flags];
  // Detached: a Ctrl-C at the terminal must not stop the database under services that still drain.
  const child = spawn("/bin/sh", ["-c", BEHIND_GATE, ...command], {
    cwd: "/",
    env: ENVIRONMENT,
    stdio: ["pipe", log.fd, log.fd],
    detached: true,
    ...home.account,
  });
  guard.watch(child);
  const exited = ended(child);
  void exited.then(guard.end);
  try {
    await once(child, "spawn");
    const pid = child.pid as number;
    if (!(await becomesReady(child, home))) {
      if (isRunning(child)) await stopProcess(pid);
      const text = await readFile(logPath, "utf8");
      throw new Error(`Postgres did not start: ${text.trim().slice(-2_000)}`);
    }
    child.unref();
    const stop = async () => {
      child.ref();
      // Once it has ended, its id may be that of another process.
      if (isRunning(child)) await Promise.race([stopProcess(pid), exited]);
      await exited;
    };
    return { pid, exited, stop };
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
    signalProcess(pid, signal);
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

/**
 * A shell that stops Postgres when this process ends without doing so, even by SIGKILL. It is there
 * before the server, which waits behind its gate until the guard has been told its id.
 */
function startGuard(home: Home) {
  const script = 'read -r pid || exit; while read -r _; do :; done; kill -INT "$pid"';
  const guard = spawn("/bin/sh", ["-c", script], {
    cwd: "/",
    env: ENVIRONMENT,
    stdio: ["pipe", "ignore", "ignore"],
    detached: true,
    ...home.account,
  });
  guard.on("error", () => {});
  guard.stdin.on("error", () => {});
  guard.unref();
  (guard.stdin as unknown as Socket).unref();
  return {
    watch: (child: ChildProcess) => {
      child.stdin?.on("error", () => {});
      guard.stdin.write(`${child.pid}\n`, () => child.stdin?.end("\n"));
    },
    end: () => guard.kill("SIGKILL"),
  };
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
