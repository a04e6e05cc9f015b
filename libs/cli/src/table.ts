import Table from "cli-table3";
import pc from "picocolors";

/** An empty table with these heads; plain where the terminal has no colours. */
export function newTable(head: readonly string[]) {
  const colours = pc.isColorSupported
    ? { head: ["bold"], border: ["dim"] }
    : { head: [], border: [] };
  return new Table({ head: [...head], style: { ...colours, compact: true } });
}
