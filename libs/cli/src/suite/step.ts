import { spawn } from "node:child_process";
import { ROOT } from "../place.ts";

/** One command of a part. */
export interface Step {
  readonly command: readonly [string, ...string[]];
  /** Relative to the checkout. */
  readonly folder?: string;
  /** It runs tests that are counted from their reports; any other step counts as one check. */
  readonly tests?: true;
  /** Where, below .results, its report goes, unless the packages decide. */
  readonly report?: string;
}

/** Runs a command with its output on ours; true when it ended well. */
export function runStep(step: Step, env: NodeJS.ProcessEnv): Promise<boolean> {
  const [program, ...parameters] = step.command;
  return new Promise((resolve) => {
    const child = spawn(program, parameters, {
      cwd: `${ROOT}${step.folder ?? ""}`,
      env: step.report === undefined ? env : { ...env, BOURSE_TEST_REPORT: step.report },
      stdio: ["ignore", "inherit", "inherit"],
    });
    child.once("error", (error) => {
      console.error(`${program}: ${error.message}`);
      resolve(false);
    });
    child.once("exit", (code) => resolve(code === 0));
  });
}
