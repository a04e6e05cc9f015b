import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";

/** Whether a process runs: one that has ended and that its parent has not buried does not. */
export function isAlive(pid: number): boolean {
  if (process.platform === "linux") return readStat(pid) !== undefined;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

/** Sends a signal, unless the process has ended already. */
export function signalProcess(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

/** What tells a process from a later one with the same id; undefined when it does not run. */
export function processMark(pid: number): string | undefined {
  try {
    if (process.platform !== "linux") {
      const ps = ["-o", "stat=,lstart=", "-p", String(pid)];
      const [state = "Z", ...start] = execFileSync("ps", ps, { encoding: "utf8" })
        .trim()
        .split(/ +/);
      return state.startsWith("Z") ? undefined : start.join(" ");
    }
    const boot = readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
    // The 22nd field of all is the start time.
    const start = readStat(pid)?.[19];
    return start === undefined ? undefined : `${boot} ${start}`;
  } catch {
    return undefined;
  }
}

/** The fields of /proc/<pid>/stat from the third on, the state; undefined for the dead. */
function readStat(pid: number): readonly string[] | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    // The second field may hold spaces and ends with the last ")".
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return fields[0] === "Z" || fields[0] === "X" ? undefined : fields;
  } catch {
    return undefined;
  }
}
