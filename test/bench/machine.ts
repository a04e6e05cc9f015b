import { cpus, loadavg, release, totalmem, type } from "node:os";

/** What a bench ran on, for whoever reads its figures. */
export interface Machine {
  readonly processor: string;
  readonly cores: number;
  readonly memoryGb: number;
  readonly system: string;
  readonly node: string;
  /** How many programs wanted to run in the minute before: more than none spoils absolute figures. */
  readonly loadBefore: number;
}

/** Looks at this machine. */
export function readMachine(): Machine {
  const all = cpus();
  return {
    processor: all[0]?.model.trim() ?? "unknown",
    cores: all.length,
    memoryGb: Math.round(totalmem() / 2 ** 30),
    system: `${type()} ${release()}`,
    node: process.version,
    loadBefore: Math.round((loadavg()[0] ?? 0) * 100) / 100,
  };
}
