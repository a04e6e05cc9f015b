import { rmSync } from "node:fs";
import pc from "picocolors";
import { Failure } from "../failure.ts";
import { PARTS, type Part } from "./parts.ts";
import { RESULTS, readResults } from "./report.ts";
import { NO_REDIS, startTestServers, type TestServers } from "./servers.ts";
import { runStep } from "./step.ts";

/** How many of something held, and what did not. */
interface Tally {
  passed: number;
  skipped: number;
  readonly failures: string[];
}

/** `bourse test`: runs every check and test, and closes with one summary; exits 1 unless all hold. */
export async function runSuite(options: { readonly only?: string }): Promise<void> {
  const parts = PARTS.filter(({ name }) => options.only === undefined || name === options.only);
  if (parts.length === 0) {
    throw new Failure(`--only takes one of ${PARTS.map(({ name }) => name).join(", ")}`);
  }
  rmSync(RESULTS, { recursive: true, force: true });
  await using stack = new AsyncDisposableStack();
  const needed = parts.some(({ servers }) => servers);
  const servers = needed ? stack.use(await startTestServers(process.env)) : undefined;
  const lines: string[] = [];
  const tally: Tally = { passed: 0, skipped: 0, failures: [] };
  for (const part of parts) lines.push(await runPart(part, environment(servers), tally));
  if (needed && servers?.redisUrl === undefined) {
    lines.push(pc.yellow(`  ${NO_REDIS}`));
    if (process.env["CI"] === "true") tally.failures.push("suites that need Redis: skipped");
  }
  console.log(`\n${lines.join("\n")}\n`);
  const { passed, skipped, failures } = tally;
  for (const failure of failures) console.log(pc.red(`  ${failure}`));
  console.log(`Tests: ${passed} passed, ${failures.length} failed, ${skipped} skipped`);
  if (failures.length > 0) process.exitCode = 1;
}

async function runPart(part: Part, env: NodeJS.ProcessEnv, tally: Tally): Promise<string> {
  console.log(pc.bold(`\n${part.name}: ${part.says}`));
  const startedAt = performance.now();
  const failedSteps: string[] = [];
  for (const step of part.steps) {
    const held = await runStep(step, env);
    if (!held) failedSteps.push(step.command.join(" "));
    else if (step.tests === undefined) tally.passed += 1;
  }
  const tests = part.tests === undefined ? undefined : readResults(part.tests);
  tally.passed += tests?.passed ?? 0;
  tally.skipped += tests?.skipped ?? 0;
  // A runner that fails without a failed test (it crashed, or found none) is a failure all the same.
  const failures = tests?.failures.length ? tests.failures : failedSteps;
  tally.failures.push(...failures);
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
  const mark = failures.length === 0 ? pc.green("ok    ") : pc.red("FAILED");
  const detail = tests === undefined ? "" : `  ${tests.passed + tests.failures.length} tests`;
  return `  ${part.name.padEnd(13)}${mark} ${seconds.padStart(6)} s${detail}`;
}

function environment(servers: TestServers | undefined): NodeJS.ProcessEnv {
  return {
    ...process.env,
    NX_DAEMON: "false",
    NX_TUI: "false",
    FORCE_COLOR: process.stdout.isTTY ? "1" : "0",
    ...(servers !== undefined && {
      DATABASE_URL: servers.databaseUrl,
      BOURSE_TEST_SERVERS: servers.redisUrl === undefined ? "postgres" : "postgres redis",
    }),
    ...(servers?.redisUrl !== undefined && { REDIS_URL: servers.redisUrl }),
  };
}
