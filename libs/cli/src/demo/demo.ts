import { rmSync } from "node:fs";
import { resolve } from "node:path";
import { removeEmbedded } from "@bourse/postgres/embedded";
import pc from "picocolors";
import { Failure } from "../failure.ts";
import { isDataFolder, lockDataFolder, openDataFolder } from "../market/data-folder.ts";
import { startMarket, stopLeftovers } from "../market/market.ts";
import { choosePorts } from "../market/ports.ts";
import { DEMO_DATA, ROOT } from "../place.ts";
import { chance } from "./chance.ts";
import { readAgents, readTask } from "./files.ts";
import * as onPaper from "./paper.ts";
import * as forReal from "./play.ts";
import { createPrinter, type Printer } from "./print.ts";
import type { DemoReport } from "./report.ts";
import { type Stage, setStage } from "./stage.ts";

interface DemoOptions {
  readonly agents: string;
  readonly whatIf?: boolean;
  readonly seed: string;
  readonly json?: boolean;
  readonly data: string;
  readonly ports: string;
}

/** `bourse demo`: brings a market up, plays one task from post to payment through the public API, stops it again. */
export async function demo(taskFile: string, options: DemoOptions): Promise<void> {
  const seed = Number(options.seed);
  if (!Number.isSafeInteger(seed)) throw new Failure("--seed takes a whole number");
  const agents = readAgents(resolve(ROOT, options.agents));
  const task = readTask(resolve(ROOT, taskFile));
  // The story is told from its beginning; a folder of the caller's own is never wiped.
  if (options.data === DEMO_DATA && !options.whatIf) await wipe(DEMO_DATA);

  const printer = createPrinter(options.json ? undefined : console.log, task);
  await using stack = new AsyncDisposableStack();
  const market = stack.use(
    await startMarket({
      data: options.data,
      ports: await choosePorts(options.ports),
      onProgress: (line) => console.error(pc.dim(line)),
    }),
  );
  const stage = await setStage(stack, { market, agents, task, random: chance(seed) });
  const report = options.whatIf
    ? await playOnPaper(stage, seed, printer)
    : await playForReal(stage, seed, printer);
  if (options.json) console.log(JSON.stringify(report, undefined, 2));
}

/** Removes a market and all its data. */
async function wipe(data: string): Promise<void> {
  if (!isDataFolder(data)) return;
  const folder = openDataFolder(data);
  using _lock = lockDataFolder(folder);
  await stopLeftovers(folder, () => {});
  await removeEmbedded(folder.postgres);
  rmSync(folder.root, { recursive: true, force: true });
}

async function playForReal(stage: Stage, seed: number, printer: Printer): Promise<DemoReport> {
  const market_check = printer.marketCheck(await forReal.checkMarket(stage));
  const auction = printer.auction(await forReal.openAuction(stage));
  const bids = printer.bids(await forReal.collectBids(stage, auction.task_id));
  const opening = { what_if: false, seed, market_check, auction, bids };
  if (bids.ranking.length === 0) {
    printer.nobody();
    return { ...opening, award: undefined, execution: undefined, settlement: undefined };
  }
  const award = printer.award(await forReal.award(stage, auction.task_id));
  const before = await forReal.standingOf(stage, award.winner);
  const execution = printer.execution(await forReal.execute(stage, auction.task_id, award));
  const settlement = printer.settlement(
    await forReal.settle(stage, auction.task_id, award, before),
  );
  if (!settlement.books_hold || !settlement.chain_holds) {
    throw new Failure("the books or the lineage do not hold");
  }
  return { ...opening, award, execution, settlement };
}

async function playOnPaper(stage: Stage, seed: number, printer: Printer): Promise<DemoReport> {
  const traces = await onPaper.tracesOf(stage);
  const market_check = printer.marketCheck(await onPaper.checkMarket(stage));
  const auction = printer.auction(await onPaper.openAuction(stage));
  const { bids, award } = await onPaper.simulateAuction(stage);
  const opening = { what_if: true, seed, market_check, auction, bids: printer.bids(bids) };
  if (award === undefined) {
    printer.nobody();
    return { ...opening, award, execution: undefined, settlement: undefined };
  }
  printer.award(award);
  const before = await onPaper.standingOf(stage, award.winner);
  const execution = printer.execution(onPaper.execute(stage, award));
  const settlement = printer.settlement(
    await onPaper.settle(stage, { award, execution, before, earlierTraces: traces }),
  );
  return { ...opening, award, execution, settlement };
}
