import { join } from "node:path";
import { ROOT } from "../place.ts";
import type { Step } from "./step.ts";

/** A part of the test suite. */
export interface Part {
  readonly name: string;
  readonly says: string;
  /** Needs Postgres and Redis. */
  readonly servers?: true;
  readonly steps: readonly Step[];
  /** Folders of packages whose tests it runs. */
  readonly tests?: readonly string[];
}

/** The tests of one folder of the test package. */
const inTests = (folder: string): Step => ({
  // With the slash: a name alone would also find stories/bench.test.ts.
  command: ["vitest", "run", "--config", "../vitest.config.ts", `${folder}/`],
  folder: "test",
  tests: true,
  report: join(folder, "report"),
});

/** All of the suite, the quick parts first. */
export const PARTS: readonly Part[] = [
  {
    name: "format",
    says: "format and lint",
    steps: [{ command: ["biome", "ci", "--error-on-warnings", "."] }],
  },
  {
    name: "types",
    says: "every package typechecks",
    steps: [{ command: ["nx", "run-many", "-t", "typecheck", "--parallel=2"] }],
  },
  {
    name: "contracts",
    says: "contracts are formatted, linted, and the generated code is theirs",
    steps: [
      { command: ["buf", "format", "--diff", "--exit-code"], folder: "proto" },
      { command: ["buf", "lint"], folder: "proto" },
      {
        command: [process.execPath, join(ROOT, "libs/cli/src/suite/generated.ts")],
        folder: "proto",
      },
    ],
  },
  {
    name: "architecture",
    says: "the house keeps its own rules",
    steps: [inTests("architecture")],
    tests: ["architecture"],
  },
  {
    name: "units",
    says: "rules, stores and services, each in its package",
    servers: true,
    steps: [
      {
        command: ["nx", "run-many", "-t", "test", "--exclude=@bourse/test", "--parallel=2"],
        tests: true,
      },
      inTests("bench"),
    ],
    tests: ["libs", "services", "bench"],
  },
  {
    name: "stories",
    says: "whole stories over real processes",
    servers: true,
    steps: [inTests("stories")],
    tests: ["stories"],
  },
];
