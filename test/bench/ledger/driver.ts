import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { NODE_FLAGS } from "@bourse/cli/market";

/** How a load went, as the driver tells it. */
export interface Measure {
  readonly calls: number;
  readonly movements: number;
  /** Until the last answer. */
  readonly seconds: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
  readonly slowestSecond: number;
  readonly refused: Readonly<Record<string, number>>;
}

/** What the ledger's own checks found. */
export interface Verified {
  readonly movements: number;
  readonly divergences: readonly string[];
}

/** Which accounts a load is about. */
export interface Parties {
  readonly accounts: number;
  readonly hot: boolean;
}

/** The program that puts load on a ledger, in a process of its own, which is started as a service is. */
export interface Driver extends AsyncDisposable {
  /** Opens accounts and pays money into them. */
  fund(accounts: number): Promise<Measure>;
  /** Callers who wait for their answer before they call again. */
  closed(load: Parties & ClosedLoad): Promise<Measure>;
  /** Calls at a fixed rate. */
  open(load: Parties & { readonly seconds: number; readonly perSecond: number }): Promise<Measure>;
  verify(): Promise<Verified>;
}

interface ClosedLoad {
  readonly seconds: number;
  readonly callers: number;
  /** Ends it early. */
  readonly deedsMax?: number;
  /** Trades in one call; one, when absent. */
  readonly parcel?: number;
}

const PROGRAM = join(import.meta.dirname, "../../../services/ledger/test/bench/driver.ts");

/** Starts the driver on a database, in whose process it runs the ledger's own store and queue. */
export function driveBooks(databaseUrl: string, signal: AbortSignal): Driver {
  return start(["books", databaseUrl], {}, signal);
}

/** Starts the driver on a ledger that serves gRPC. */
export function driveRemote(address: string, token: string, signal: AbortSignal): Driver {
  return start(["remote", address], { BOURSE_TOKEN: token }, signal);
}

function start(
  parameters: readonly string[],
  env: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Driver {
  const child = spawn(process.execPath, [...NODE_FLAGS, PROGRAM, ...parameters], {
    env: { ...process.env, ...env },
    stdio: ["pipe", "pipe", "pipe"],
    signal,
  });
  const ask = conversation(child);
  return {
    fund: (accounts) => ask({ ask: "fund", accounts }),
    closed: (load) => ask({ ask: "closed", ...load }),
    open: (load) => ask({ ask: "open", ...load }),
    verify: () => ask({ ask: "verify" }),
    async [Symbol.asyncDispose]() {
      child.stdin.end();
      if (child.exitCode !== null || child.signalCode !== null) return;
      await new Promise((resolve) => child.once("close", resolve));
    },
  };
}

/** Asks the program one thing after the other. */
function conversation(child: ChildProcessWithoutNullStreams) {
  const answers = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  let errors = "";
  let fault: Error | undefined;
  child.stderr.on("data", (chunk) => {
    errors = (errors + chunk).slice(-4_000);
  });
  child.once("error", (error) => {
    fault = error;
  });
  // Its end is noticed at its output; writing to it then must not end us.
  child.stdin.on("error", () => {});
  return async <T>(request: object): Promise<T> => {
    child.stdin.write(`${JSON.stringify(request)}\n`);
    const { value } = await answers.next();
    if (fault !== undefined) throw fault;
    if (value === undefined) throw new Error(`the driver of the bench has ended:\n${errors}`);
    const answer = JSON.parse(value);
    if (answer.error !== undefined) throw new Error(`the driver of the bench: ${answer.error}`);
    return answer;
  };
}
