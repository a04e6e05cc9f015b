import { readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import pc from "picocolors";
import { Failure } from "../failure.ts";
import { ROOT } from "../place.ts";
import { PARTS, type Part } from "./parts.ts";
import { NO_REDIS, startTestServers, type TestServers } from "./servers.ts";
import { runStep } from "./step.ts";

/** How many of something held. */
interface Tally {
  passed: number;
  failed: number;
  skipped: number;
}

const RESULTS = join(ROOT, ".results");

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
  const tally: Tally = { passed: 0, failed: 0, skipped: 0 };
  for (const part of parts) lines.push(await runPart(part, environment(servers), tally));
  if (needed && servers?.redisUrl === undefined) {
    lines.push(pc.yellow(`  ${NO_REDIS}`));
    if (process.env["CI"] === "true") tally.failed += 1;
  }
  console.log(`\n${lines.join("\n")}\n`);
  console.log(`Tests: ${tally.passed} passed, ${tally.failed} failed, ${tally.skipped} skipped`);
  if (tally.failed > 0) process.exitCode = 1;
}

async function runPart(part: Part, env: NodeJS.ProcessEnv, tally: Tally): Promise<string> {
  console.log(pc.bold(`\n${part.name}: ${part.says}`));
  const startedAt = performance.now();
  let failedSteps = 0;
  for (const step of part.steps) {
    const held = await runStep(step, env);
    if (!held) failedSteps += 1;
    if (step.tests === undefined) tally[held ? "passed" : "failed"] += 1;
  }
  const tests = part.tests === undefined ? undefined : readResults(part.tests);
  if (tests !== undefined) {
    tally.passed += tests.passed;
    tally.skipped += tests.skipped;
    // A runner that fails without a failed test (it crashed, or found none) is a failure all the same.
    tally.failed += Math.max(tests.failed, failedSteps);
  }
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
  const mark = failedSteps === 0 ? pc.green("ok    ") : pc.red("FAILED");
  const detail = tests === undefined ? "" : `  ${tests.passed + tests.failed} tests`;
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

/** Adds up vitest's JSON reports below the folders named. */
function readResults(folders: readonly string[]): Tally {
  const tally: Tally = { passed: 0, failed: 0, skipped: 0 };
  for (const file of folders.flatMap((folder) => jsonFiles(join(RESULTS, folder)))) {
    const report = JSON.parse(readFileSync(file, "utf8")) as Record<string, number>;
    tally.passed += report["numPassedTests"] ?? 0;
    tally.failed += report["numFailedTests"] ?? 0;
    tally.skipped += (report["numPendingTests"] ?? 0) + (report["numTodoTests"] ?? 0);
  }
  return tally;
}

function jsonFiles(folder: string): string[] {
  try {
    const names = readdirSync(folder).filter((name) => name.endsWith(".json"));
    return names.map((name) => join(folder, name));
  } catch {
    return [];
  }
}
