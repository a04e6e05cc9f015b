import Table from "cli-table3";
import type { Bar } from "./bars.ts";
import type { Machine } from "./machine.ts";

/** A table for people. Columns whose head begins with `>` are right-aligned. */
export function tableOf(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const table = new Table({
    head: head.map((name) => name.replace(/^>/, "")),
    colAligns: head.map((name) => (name.startsWith(">") ? "right" : "left")),
    style: { head: [], border: [], compact: true },
  });
  table.push(...rows.map((row) => [...row]));
  return table.toString();
}

/** What was asked and what was found. */
export function barTable(bars: readonly Bar[]): string {
  return tableOf(
    ["bar", ">asked", ">found", ""],
    bars.map(({ name, value, bar, ok }) => [name, String(bar), fixed(value), ok ? "ok" : "short"]),
  );
}

/** The machine in one line. */
export function machineLine(machine: Machine): string {
  return (
    `${machine.cores} x ${machine.processor}, ${machine.memoryGb} GB, ${machine.system}; ` +
    `load before ${machine.loadBefore}`
  );
}

/** Without a fraction. */
export function whole(number: number): string {
  return Math.round(number).toLocaleString("en");
}

/** With two digits behind the point where they matter; "" for what was not measured. */
export function fixed(number: number | undefined): string {
  if (number === undefined) return "";
  return number >= 100 ? whole(number) : number.toFixed(2);
}
