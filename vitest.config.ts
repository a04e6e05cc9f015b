import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { defineConfig } from "vitest/config";
import type { Reporter } from "vitest/node";

const results = join(import.meta.dirname, ".results");
const report = process.env["BOURSE_TEST_REPORT"] ?? relative(import.meta.dirname, process.cwd());

const told = ({ message }: { readonly message: string }) =>
  `${report}, outside any test: ${message.split("\n")[0]}\n`;

/** Its own report, since vitest's does not tell of errors outside any test. */
const unhandled: Reporter = {
  onTestRunEnd: (_modules, errors) => {
    const file = join(results, `${report}.unhandled`);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, errors.map(told).join(""));
  },
};

/** Every package runs its tests with this, from its own folder. */
export default defineConfig({
  test: {
    include: ["**/*.test.ts"],
    setupFiles: [join(import.meta.dirname, "vitest-setup.ts")],
    // Only what is broken takes so long, however busy the machine: no test gives itself less.
    expect: { poll: { timeout: 60_000 } },
    testTimeout: 180_000,
    hookTimeout: 180_000,
    // Two cores, and each file brings its own servers or database.
    maxWorkers: 2,
    reporters: ["default", ["json", { outputFile: join(results, `${report}.json`) }], unhandled],
  },
});
