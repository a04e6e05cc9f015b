import { formatDuration, formatMicros, formatMoney } from "@bourse/scoring";
import pc from "picocolors";
import { newTable } from "../table.ts";
import type { DemoTask } from "./files.ts";
import type {
  AuctionOpened,
  AwardMade,
  BidsTaken,
  ExecutionDone,
  MarketCheck,
  Settlement,
  Standing,
} from "./report.ts";

/** Tells each phase as it ends, and hands its report back. */
export interface Printer {
  marketCheck(report: MarketCheck): MarketCheck;
  auction(report: AuctionOpened): AuctionOpened;
  bids(report: BidsTaken): BidsTaken;
  nobody(): void;
  award(report: AwardMade): AwardMade;
  execution(report: ExecutionDone): ExecutionDone;
  settlement(report: Settlement): Settlement;
}

/** Makes a printer onto `write`; without it nothing is printed. */
export function createPrinter(
  write: ((text: string) => void) | undefined,
  { currency }: Pick<DemoTask, "currency">,
): Printer {
  const money = (micros: string) => formatMoney(BigInt(micros), currency);
  const say = (...lines: readonly string[]) => write?.(lines.join("\n"));
  const phase = (number: number, title: string) =>
    say("", pc.bold(pc.cyan(`Phase ${number}  ${title}`)), "");
  return {
    marketCheck(report) {
      phase(1, "Market check");
      say(...marketLines(report, money));
      return report;
    },
    auction(report) {
      phase(2, "Auction");
      say(
        `  ${pc.bold(report.task_id || "(on paper)")}  ${report.task_type}, ${report.state}`,
        `  wanted: ${report.capability}, complexity ${report.complexity.toLowerCase()}`,
        `  limits: at most ${money(report.max_cost_micros)}, at most ` +
          `${duration(report.max_latency_seconds)}, success at least ${report.min_success_rate}`,
        `  rules:  ${report.scoring_policy}, ${report.payment_rule}`,
      );
      return report;
    },
    bids(report) {
      phase(3, "Bids");
      say(...bidLines(report, money));
      return report;
    },
    nobody() {
      say("", pc.yellow("  No bid meets the requirements: there is nothing to award."));
    },
    award(report) {
      phase(4, "Award");
      const { requester_before: before, requester_after: after } = report;
      say(
        `  ${pc.green(pc.bold(report.winner))} wins by ${formatMicros(BigInt(report.margin_micros), 4)}`,
        `  paid on success: ${money(report.price_micros)} (award epoch ${report.epoch})`,
        `  ledger: transaction ${report.transaction_id || "(on paper)"} ${report.transaction_state}`,
        `  requester: available ${money(before.available_micros)} -> ` +
          `${money(after.available_micros)}, held ${money(before.held_micros)} -> ` +
          money(after.held_micros),
      );
      return report;
    },
    execution(report) {
      phase(5, "Execution (simulated)");
      const end = report.success ? pc.green("succeeded") : pc.red("failed");
      say(
        `  ${end} in ${duration(report.actual_seconds)}, ` +
          `promised ${duration(report.estimated_seconds)}`,
      );
      return report;
    },
    settlement(report) {
      phase(6, "Settlement");
      say(...settlementLines(report, money));
      return report;
    },
  };
}

type Money = (micros: string) => string;

function marketLines(report: MarketCheck, money: Money): string[] {
  const table = newTable(["agent", "does", "promises", "tasks", "calibration", ""]);
  for (const agent of report.agents) {
    table.push([
      agent.agent_id,
      agent.capabilities.join("\n"),
      `${(agent.success_rate * 100).toFixed(0)}%`,
      agent.completed_tasks,
      agent.calibration.toFixed(2),
      agent.eligible ? pc.green("eligible") : pc.dim("not for this"),
    ]);
  }
  const earlier =
    report.earlier_tasks > 0
      ? [`  ${report.earlier_tasks} earlier tasks were played, so that calibration means something`]
      : [];
  return [
    `  ${report.services.map(({ name, address }) => `${name} ${address}`).join("   ")}`,
    indent(table.toString()),
    ...earlier,
    `  ${report.requester} has ${money(report.available_micros)} to spend`,
  ];
}

function bidLines(report: BidsTaken, money: Money): string[] {
  const names = report.ranking[0]?.score_parts.map(({ name }) => name) ?? [];
  const table = newTable(["", "agent", "price", "within", "success", "calibr.", ...names, "score"]);
  for (const [index, bid] of report.ranking.entries()) {
    table.push([
      index + 1,
      bid.agent_id,
      money(bid.price_micros),
      duration(bid.latency_seconds),
      bid.success_rate,
      bid.calibration.toFixed(2),
      ...bid.score_parts.map(({ micros }) => formatMicros(BigInt(micros), 4)),
      pc.bold(formatMicros(BigInt(bid.score_micros), 4)),
    ]);
  }
  const refused = report.refused.flatMap(({ agent_id, faults }) => [
    `  ${pc.red("refused")}  ${pc.bold(agent_id)}`,
    ...faults.map(({ reason, description }) => `           ${reason}: ${description}`),
  ]);
  const declined = report.declined.map(
    ({ agent_id, reason }) => `  ${pc.dim("declined")} ${agent_id}: ${reason}`,
  );
  return [
    ...(report.ranking.length > 0 ? [indent(table.toString()), "  (the lowest score wins)"] : []),
    ...refused,
    ...declined,
  ];
}

function settlementLines(report: Settlement, money: Money): string[] {
  const { before, after } = report;
  const table = newTable(["the winner's", "before", "after"]);
  const row = (what: string, of: (standing: Standing) => string) =>
    table.push([what, of(before), of(after)]);
  row("credits", (s) => `${formatMicros(BigInt(s.credits_micros), 4)} CRD`);
  row("calibration", (s) => s.calibration.toFixed(4));
  row("score (0 to 5)", (s) => s.score.toFixed(2));
  row("reliability, at least", (s) => s.reliability.toFixed(4));
  row("tasks done / failed", (s) => `${s.completed_tasks} / ${s.failed_tasks}`);
  return [
    `  task ${report.task_state} (${report.end_reason.toLowerCase()}), transaction ` +
      `${report.transaction_state}, paid ${money(report.paid_micros)}`,
    ...report.movements.map(
      ({ kind, debit, credit, micros }) =>
        `    ${kind.padEnd(9)} ${debit} -> ${credit}  ${money(micros)}`,
    ),
    `  credits earned: ${formatMicros(BigInt(report.credits_earned_micros), 4)} CRD`,
    indent(table.toString()),
    ...(report.lineage.length > 0 ? ["  lineage of the task:"] : []),
    ...report.lineage.map(({ sequence, type, subjects, hash }) => {
      const who = Object.entries(subjects).map(([part, pseudonym]) => `${part} ${pseudonym}`);
      return `    ${sequence.padStart(4)}  ${type.padEnd(18)} ${pc.dim(hash.slice(0, 16))}  ${pc.dim(who.join(", "))}`;
    }),
    `  the books: ${verdict(report.books_hold)}; the lineage chain: ${verdict(report.chain_holds)}`,
  ];
}

function verdict(ok: boolean): string {
  return ok ? pc.green("verified") : pc.red("BROKEN");
}

function indent(text: string): string {
  return text.replace(/^/gm, "  ");
}

function duration(seconds: number): string {
  return formatDuration(BigInt(Math.round(seconds * 1000)));
}
