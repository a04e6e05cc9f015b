import { type ChildProcess, spawn } from "node:child_process";
import { createWriteStream } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { identify, type ProcessId } from "./process-id.ts";

/** A service that is started, and started again whenever it dies, until it is stopped. */
export interface ServiceProcess {
  readonly name: string;
  /** The process that runs now, or ran last. */
  readonly process: ProcessId;
  /** How often it died and was started again. */
  readonly restarts: number;
  /** Asks it to end and waits; kills it when it takes longer than `limitMs`. */
  stop(limitMs: number): Promise<void>;
}

/** What a service is started with. */
export interface ServiceProcessOptions {
  readonly name: string;
  readonly env: Readonly<Record<string, string>>;
  readonly logDirectory: string;
  /** Also show its log here. */
  readonly echo?: NodeJS.WritableStream | undefined;
  /** Told when it has been started (again). */
  readonly onStart: () => void;
  /** Told when it died on its own. */
  readonly onDeath: (how: string, again: number) => void;
}

/**
 * What Node is told when it runs a service.
 *
 * What a call leaves behind lives just long enough to be copied once in a young space of 16 MB: collecting it took a
 * tenth of the ledger's time there, and a fifteenth in one of 32.
 */
export const NODE_FLAGS = ["--enable-source-maps", "--max-semi-space-size=32"] as const;

const RESTART_FIRST_MS = 100;
const RESTART_MAX_MS = 5_000;
/** A process that has run this long counts as healthy again. */
const STEADY_MS = 10_000;

/** Starts services/<name>/src/main.ts as a process of its own. */
export function startService(options: ServiceProcessOptions): ServiceProcess {
  const main = fileURLToPath(
    new URL(`../../../../services/${options.name}/src/main.ts`, import.meta.url),
  );
  const log = createWriteStream(join(options.logDirectory, `${options.name}.log`), { flags: "a" });
  let restarts = 0;
  let delayMs = RESTART_FIRST_MS;
  let stopping = false;
  let timer: NodeJS.Timeout | undefined;
  let child = start();
  let id = identify(child.pid ?? 0);

  function start(): ChildProcess {
    const startedAt = Date.now();
    const started = spawn(process.execPath, [...NODE_FLAGS, main], {
      env: { ...inherited(), ...options.env },
      stdio: ["ignore", "pipe", "pipe"],
      // Ctrl-C at the terminal must reach the supervisor only: it stops the services in order.
      detached: true,
    });
    for (const stream of [started.stdout, started.stderr]) {
      stream?.pipe(log, { end: false });
      if (options.echo !== undefined) stream?.pipe(options.echo, { end: false });
    }
    started.once("exit", (code, signal) => {
      if (stopping) return;
      if (Date.now() - startedAt > STEADY_MS) delayMs = RESTART_FIRST_MS;
      restarts += 1;
      options.onDeath(signal ?? `exit code ${code}`, delayMs);
      timer = setTimeout(again, delayMs);
      delayMs = Math.min(delayMs * 2, RESTART_MAX_MS);
    });
    return started;
  }

  function again(): void {
    child = start();
    id = identify(child.pid ?? 0);
    options.onStart();
  }

  return {
    name: options.name,
    get process() {
      return id;
    },
    get restarts() {
      return restarts;
    },
    async stop(limitMs) {
      stopping = true;
      clearTimeout(timer);
      await end(child, limitMs);
      await new Promise((resolve) => log.end(resolve));
    },
  };
}

/** The service's whole configuration is given to it: nothing of the shell's own leaks in but what finds programs. */
function inherited(): Record<string, string> {
  const names = ["PATH", "HOME", "LANG", "TZ", "TMPDIR", "NODE_OPTIONS", "NODE_COMPILE_CACHE"];
  const pairs = names.map((name) => [name, process.env[name]] as const);
  return Object.fromEntries(pairs.filter((pair) => pair[1] !== undefined)) as Record<
    string,
    string
  >;
}

async function end(child: ChildProcess, limitMs: number): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  child.kill("SIGTERM");
  const timer = setTimeout(() => child.kill("SIGKILL"), limitMs);
  await ended;
  clearTimeout(timer);
}
