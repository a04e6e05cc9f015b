import { readFileSync } from "node:fs";

/** A process, told apart from a later one that was given the same number. */
export interface ProcessId {
  readonly pid: number;
  /** Kernel ticks since boot at its start; "" where the system does not tell. */
  readonly started: string;
}

/** Names a running process so that it can be recognised later. */
export function identify(pid: number): ProcessId {
  return { pid, started: startOf(pid) };
}

/** Whether that very process still runs. */
export function isAlive({ pid, started }: ProcessId): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
  return !isZombie(pid) && startOf(pid) === started;
}

/** Sends a signal to that very process, if it still runs. */
export function signal(id: ProcessId, name: NodeJS.Signals): void {
  if (!isAlive(id)) return;
  try {
    process.kill(id.pid, name);
  } catch {
    // It ended between the look and the signal.
  }
}

function startOf(pid: number): string {
  return statFields(pid)[19] ?? "";
}

function isZombie(pid: number): boolean {
  return statFields(pid)[0] === "Z";
}

/** Fields of /proc/<pid>/stat from the third on: the second, the command, may hold spaces and parentheses. */
function statFields(pid: number): string[] {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  } catch {
    return [];
  }
}
