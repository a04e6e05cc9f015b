import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { bourse, type Ended } from "../support/command.ts";
import { anOperator, type Operator } from "../support/operator.ts";

const FILES = join(import.meta.dirname, "agents-file");
const IDS = ["iso-optimizer", "supplier-verifier", "ceremony-orchestrator"];

describe("a file of agents that the Performance Market wrote", () => {
  let operator: Operator;
  let imported: Ended;

  beforeAll(async () => {
    operator = await anOperator();
    await operator.up();
    imported = await agents("import", join(FILES, "marketplace.yaml"));
  });
  afterAll(() => operator?.[Symbol.asyncDispose]());

  const agents = (...parameters: string[]) =>
    bourse("agents", ...parameters, "--data", operator.data);

  test("is imported as it is, but for what a market reckons itself", () => {
    expect(imported).toMatchObject({
      exitCode: 0,
      stdout: "3 registered, 0 replaced, 0 returned, 0 unchanged, 0 refused\n",
    });
    expect(imported.stderr.trim().split("\n")).toEqual([
      "reputation is the market's own record: left out 3 times",
      "registered is the market's own record: left out once",
      "updated is the market's own record: left out 2 times",
      "total_agents is the market's own record: left out once",
      "marketplace_version is the market's own record: left out once",
    ]);
  });

  test("gives nobody a reputation", async () => {
    await using connection = await operator.connectAsOperator();

    const { reputation } = await connection.registry.explainReputation({ agentId: IDS[0] ?? "" });

    expect(reputation).toMatchObject({ completedTasks: 0n, failedTasks: 0n });
  });

  test("is exported in the notation of its authors", async () => {
    const exported = await agents("export", "--format", "yaml");

    expect(exported.stdout).toBe(await readFile(join(FILES, "exported.yaml"), "utf8"));
  });

  test.each(["yaml", "jsonl"])("comes back from %s to the same bytes", async (format) => {
    const [first, second] = [
      join(operator.data, `a.${format}`),
      join(operator.data, `b.${format}`),
    ];
    await agents("export", "--format", format, "--out", first);
    await using connection = await operator.connectAsOperator();
    for (const agentId of IDS) await connection.registry.unregisterAgent({ agentId });
    const none = await agents("export");

    const back = await agents("import", first);
    await agents("export", "--format", format, "--out", second);

    expect(none.stdout).toBe("");
    expect(back).toMatchObject({ exitCode: 0, stderr: "" });
    expect(back.stdout).toContain("3 returned");
    expect(await readFile(second, "utf8")).toBe(await readFile(first, "utf8"));
  });
});
