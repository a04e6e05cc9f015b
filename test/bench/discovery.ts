import { writeFile } from "node:fs/promises";
import { drawCost } from "./discovery/plot.ts";
import { documentOf, tablesOf } from "./discovery/report.ts";
import { runBench } from "./discovery/run.ts";
import { readSettings } from "./discovery/settings.ts";
import { h2loadVersion } from "./h2load.ts";
import { readMachine } from "./machine.ts";
import { runProgram } from "./program.ts";

// `./bourse bench discovery` runs this as a process of its own.

await runProgram({
  limitMs: 3 * 3_600_000,
  read: readSettings,
  async run(settings, run) {
    const setup = { machine: readMachine(), h2load: await h2loadVersion(), settings };
    const figures = await runBench(settings, run);
    if (settings.plot !== undefined)
      await writeFile(settings.plot, drawCost(figures.rows, settings));
    return { document: documentOf(setup, figures), tables: tablesOf(setup, figures) };
  },
});
