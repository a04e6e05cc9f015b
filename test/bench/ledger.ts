import { findPgbench, pgbenchVersion } from "./ledger/peer.ts";
import { documentOf, tablesOf } from "./ledger/report.ts";
import { runBench } from "./ledger/run.ts";
import { readSettings } from "./ledger/settings.ts";
import { readMachine } from "./machine.ts";
import { runProgram } from "./program.ts";
import { openServer } from "./server.ts";

// `./bourse bench ledger` runs this as a process of its own.

await runProgram({
  limitMs: 2 * 3_600_000,
  read: readSettings,
  async run(settings, { signal, say }) {
    const pgbench = await pgbenchVersion(await findPgbench());
    const machine = readMachine();
    say("starting Postgres");
    await using server = await openServer(settings.databaseUrl);
    const figures = await runBench({ settings, server, signal, say });
    const setup = { machine, postgres: server.settings, pgbench, settings };
    return { document: documentOf(setup, figures), tables: tablesOf(setup, figures) };
  },
});
