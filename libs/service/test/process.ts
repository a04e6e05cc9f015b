import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { expect } from "vitest";

/** A log line of the process. */
export type Line = Readonly<Record<string, unknown>>;

/** The discovery of the tests as a process of its own. */
export interface ServiceProcess extends AsyncDisposable {
  readonly lines: readonly Line[];
  /** What it wrote to stderr. */
  stderr(): string;
  /** The line with this message or event, as soon as it is there. */
  line(text: string): Promise<Line>;
  /** The address it serves on, as soon as it says so. */
  address(): Promise<string>;
  signal(name: NodeJS.Signals): void;
  /** The exit code, as soon as it has ended. */
  exitCode(): Promise<number | null>;
}

/** Starts the process; disposing kills it. */
export function startProcess(env: Readonly<Record<string, string>>): ServiceProcess {
  const program = fileURLToPath(new URL("discovery.ts", import.meta.url));
  const child: ChildProcess = spawn(process.execPath, [program], {
    env,
    stdio: ["ignore", "pipe", "pipe"],
  });
  const lines: Line[] = [];
  let stderr = "";
  if (child.stdout === null || child.stderr === null) throw new Error("no output");
  createInterface(child.stdout).on("line", (line) => lines.push(JSON.parse(line) as Line));
  child.stderr.on("data", (chunk: Buffer) => {
    stderr += chunk.toString();
  });
  const exited = once(child, "close");

  async function line(text: string): Promise<Line> {
    const find = () => lines.find((each) => each["msg"] === text || each["event"] === text);
    await expect.poll(find, { message: `${text} in ${stderr}` }).toBeDefined();
    return find() ?? {};
  }

  return {
    lines,
    stderr: () => stderr,
    line,
    address: async () => String((await line("started"))["address"]),
    signal: (name) => child.kill(name),
    async exitCode() {
      await exited;
      return child.exitCode;
    },
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await exited;
    },
  };
}
