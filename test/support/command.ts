import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

const ROOT = join(import.meta.dirname, "../..");

/** How a command ended. */
export interface Ended {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A command that runs. */
export interface Running {
  readonly process: ChildProcess;
  readonly ended: Promise<Ended>;
  /** What it has printed so far. */
  output(): string;
  errors(): string;
}

/** Runs `./bourse` with embedded servers, whatever the shell's own environment says, and waits for its end. */
export function bourse(...parameters: readonly string[]): Promise<Ended> {
  return startBourse(...parameters).ended;
}

/** Starts `./bourse`. */
export function startBourse(...parameters: readonly string[]): Running {
  return startBourseIn({}, ...parameters);
}

/** Starts `./bourse` with servers that the shell names. */
export function startBourseIn(
  shell: Readonly<Record<string, string>>,
  ...parameters: readonly string[]
): Running {
  const { DATABASE_URL: _database, REDIS_URL: _redis, BOURSE_TOKEN: _token, ...env } = process.env;
  const [program, ...first] = launcher();
  return start(program, [...first, ...parameters], { ...env, NO_COLOR: "1", ...shell });
}

/** Runs a program of node_modules/.bin. */
export function runTool(name: string, ...parameters: readonly string[]): Promise<Ended> {
  return start(join(ROOT, "node_modules/.bin", name), parameters, process.env).ended;
}

/** The launcher itself, unless it would stop to install packages first: that is for a fresh clone to try. */
function launcher(): readonly [string, ...string[]] {
  const installed = join(ROOT, "node_modules/.bourse-lock.json");
  const lock = readFileSync(join(ROOT, "package-lock.json"), "utf8");
  if (existsSync(installed) && readFileSync(installed, "utf8") === lock) {
    return [join(ROOT, "bourse")];
  }
  return [process.execPath, join(ROOT, "libs/cli/src/main.ts")];
}

/** Starts a program in the root of the checkout. */
export function start(
  program: string,
  parameters: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): Running {
  const child = spawn(program, parameters, { env, cwd: ROOT, stdio: ["ignore", "pipe", "pipe"] });
  let stdout = "";
  let stderr = "";
  child.stdout.on("data", (chunk) => {
    stdout += chunk;
  });
  child.stderr.on("data", (chunk) => {
    stderr += chunk;
  });
  const ended = new Promise<Ended>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (exitCode) => resolve({ exitCode, stdout, stderr }));
  });
  return { process: child, ended, output: () => stdout, errors: () => stderr };
}
