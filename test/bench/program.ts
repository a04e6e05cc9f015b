import { setMaxListeners } from "node:events";
import { CommanderError } from "commander";
import type { Bar } from "./bars.ts";
import { BenchFailure } from "./failure.ts";

/** What every bench can be told about how it shows what it found. */
export interface Showing {
  /** One JSON document instead of tables. */
  readonly json: boolean;
  /** Exit 1 when a figure falls short of its bar. */
  readonly check: boolean;
}

/** What `--json` prints. */
export interface BenchDocument {
  readonly bench: string;
  readonly settings: object;
  readonly figures: object;
  readonly bars: readonly Bar[];
}

/** What a bench found, for machines and for people. */
export interface Outcome {
  readonly document: BenchDocument;
  readonly tables: string;
}

/** What a bench works with beside its settings. */
export interface Run {
  /** Aborts when the bench is stopped, or takes too long. */
  readonly signal: AbortSignal;
  /** Told one sentence at a time what happens. */
  readonly say: (line: string) => void;
}

/** A bench, which `./bourse bench <name>` runs as a process of its own. */
export interface Program<S extends Showing> {
  /** A run that takes longer hangs. */
  readonly limitMs: number;
  /** Reads the command line. */
  readonly read: (parameters: readonly string[]) => S;
  /** Measures. It may throw a BenchFailure, and whatever `say` throws once it is stopped. */
  readonly run: (settings: S, run: Run) => Promise<Outcome>;
}

/** Runs a bench as this process: reads the command line, measures, prints, sets the exit code. */
export async function runProgram<S extends Showing>(program: Program<S>): Promise<void> {
  const stopping = new AbortController();
  const stop = () => stopping.abort(new BenchFailure("stopped"));
  for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.once(name, stop);
  // Whoever started this is gone when its channel closes.
  process.once("disconnect", stop);
  process.channel?.unref();
  // Nobody may be left to read what is said while cleaning up.
  process.stderr.on("error", () => {});
  try {
    await measure(program, stopping.signal);
  } catch (error) {
    if (error instanceof CommanderError) process.exitCode = error.exitCode;
    else if (stopping.signal.aborted || error instanceof BenchFailure) {
      const { reason = error } = stopping.signal;
      process.stderr.write(`bourse: ${reason instanceof Error ? reason.message : reason}\n`);
      process.exitCode = 1;
    } else throw error;
  }
}

async function measure<S extends Showing>(
  { limitMs, read, run }: Program<S>,
  stopped: AbortSignal,
): Promise<void> {
  const settings = read(process.argv.slice(2));
  const signal = AbortSignal.any([stopped, AbortSignal.timeout(limitMs)]);
  setMaxListeners(0, signal);
  const say = (line: string) => {
    signal.throwIfAborted();
    process.stderr.write(`${line}\n`);
  };
  const { document, tables } = await run(settings, { signal, say });
  const shown = settings.json ? JSON.stringify(document, undefined, 2) : tables;
  process.stdout.write(`${shown}\n`);
  if (settings.check && !document.bars.every(({ ok }) => ok)) process.exitCode = 1;
}
