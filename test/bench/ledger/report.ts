import type { Machine } from "../machine.ts";
import type { BenchDocument } from "../program.ts";
import { barTable, fixed, machineLine, tableOf, whole } from "../table.ts";
import { barsOf, beside, type Figures, growth, type Row, type Subject } from "./figures.ts";
import { PEER_STORES } from "./peer.ts";
import type { Settings } from "./settings.ts";

/** What a run was made of. */
export interface Setup {
  readonly machine: Machine;
  /** As the server shows them. */
  readonly postgres: Readonly<Record<string, string>>;
  readonly pgbench: string;
  readonly settings: Settings;
}

/** Whom each measurement is set beside; the peer itself beside nobody. */
const BESIDE: Readonly<Partial<Record<Subject, Subject>>> = {
  "in-process": "pgbench",
  "unary gRPC": "pgbench",
  "batch gRPC": "pgbench",
  sustained: "sustained pgbench",
  empty: "empty pgbench",
  full: "full pgbench",
};

/** The document of a run. */
export function documentOf(setup: Setup, figures: Figures): BenchDocument {
  const { machine, postgres, pgbench, settings } = setup;
  const { databaseUrl, json: _json, check: _check, ...chosen } = settings;
  const server = databaseUrl === undefined ? "embedded" : "given";
  return {
    bench: "ledger",
    settings: { ...chosen, server, machine, postgres, pgbench, peer: PEER_STORES },
    figures: { ...figures, growth: growth(figures.rows) },
    bars: barsOf(figures),
  };
}

/** The same for people. */
export function tablesOf(setup: Setup, figures: Figures): string {
  const { machine, postgres, pgbench, settings } = setup;
  const { disk, verified, rows } = figures;
  const shown = Object.entries(postgres).map(([name, value]) => `${name} ${value}`);
  const server = settings.databaseUrl === undefined ? "embedded Postgres" : "Postgres";
  return [
    machineLine(machine),
    `Node ${machine.node}; ${pgbench}; ${server}: ${shown.join(", ")}`,
    `${whole(settings.accounts)} accounts, ${settings.seconds} s each; of ratios the middle of ${settings.rounds}`,
    `The peer: ${PEER_STORES}`,
    "",
    measurements(rows),
    ...(disk === undefined
      ? []
      : [
          `${whole(disk.movements)} movements take ${Math.round(disk.bytesPerMovement)} bytes each ` +
            `with their indexes, ${Math.round(disk.schemaBytesPerMovement)} with all of the schema`,
        ]),
    ...verified.map(
      ({ books, movements, answered, divergences }) =>
        `Verify (${books} books): ${whole(answered)} movements acknowledged, ` +
        `${whole(movements)} stored; ${divergences.join(", ") || "no divergence"}`,
    ),
    "",
    barTable(barsOf(figures)),
  ].join("\n");
}

const HEAD =
  "measured|accounts|>load|>per s|>peer|>x peer|>rounds|>p50 ms|>p99 ms|>max ms|>refused".split(
    "|",
  );

function measurements(rows: readonly Row[]): string {
  const lines = rows.map((row) => {
    const refused = Object.values(row.refused ?? {}).reduce((sum, each) => sum + each, 0);
    const peer = BESIDE[row.subject];
    const theirs = peer && beside(rows, row, peer);
    return [
      row.subject,
      row.pattern,
      `${whole(row.load)} ${row.unit}`,
      whole(row.perSecond),
      theirs === undefined ? "" : whole(theirs),
      theirs === undefined ? "" : fixed(row.perSecond / theirs),
      row.spread?.map(fixed).join(" to ") ?? "",
      row.averageMs === undefined ? fixed(row.p50Ms) : `avg ${fixed(row.averageMs)}`,
      fixed(row.p99Ms),
      fixed(row.maxMs),
      refused === 0 ? "" : whole(refused),
    ];
  });
  return tableOf(HEAD, lines);
}
