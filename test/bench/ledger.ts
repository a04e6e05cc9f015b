import { setMaxListeners } from "node:events";
import { CommanderError } from "commander";
import { BenchFailure } from "./failure.ts";
import { findPgbench, pgbenchVersion } from "./ledger/peer.ts";
import { documentOf, tablesOf } from "./ledger/report.ts";
import { runBench } from "./ledger/run.ts";
import { readSettings, type Settings } from "./ledger/settings.ts";
import { readMachine } from "./machine.ts";
import { openServer } from "./server.ts";

// `./bourse bench ledger` runs this as a process of its own.

/** A run that takes longer hangs. */
const LIMIT_MS = 2 * 3_600_000;

const stopping = new AbortController();
for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  process.once(name, () => stopping.abort(new BenchFailure("stopped")));
}
// Whoever started this is gone when its channel closes.
process.once("disconnect", () => stopping.abort(new BenchFailure("stopped")));
process.channel?.unref();
// Nobody may be left to read what is said while cleaning up.
process.stderr.on("error", () => {});

try {
  await main(readSettings(process.argv.slice(2)));
} catch (error) {
  if (error instanceof CommanderError) process.exitCode = error.exitCode;
  else if (stopping.signal.aborted || error instanceof BenchFailure) {
    const { reason = error } = stopping.signal;
    process.stderr.write(`bourse: ${reason instanceof Error ? reason.message : reason}\n`);
    process.exitCode = 1;
  } else throw error;
}

async function main(settings: Settings): Promise<void> {
  const signal = AbortSignal.any([stopping.signal, AbortSignal.timeout(LIMIT_MS)]);
  setMaxListeners(0, signal);
  const say = (line: string) => {
    signal.throwIfAborted();
    process.stderr.write(`${line}\n`);
  };
  const pgbench = await pgbenchVersion(await findPgbench());
  const machine = readMachine();
  say("starting Postgres");
  await using server = await openServer(settings.databaseUrl);
  const figures = await runBench({ settings, server, signal, say });
  const setup = { machine, postgres: server.settings, pgbench, settings };
  const document = documentOf(setup, figures);
  process.stdout.write(
    settings.json ? `${JSON.stringify(document, undefined, 2)}\n` : `${tablesOf(setup, figures)}\n`,
  );
  if (settings.check && !document.bars.every(({ ok }) => ok)) process.exitCode = 1;
}
