import "../src/garbage.ts";
import { getHeapSpaceStatistics, setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { expect, test } from "vitest";
import { draftOn, present } from "../src/books.ts";
import { play } from "../src/command.ts";
import { createMemory } from "../src/postgres/memory.ts";
import { recordOf } from "./books.ts";
import { aDraft, STAMP } from "./drafts.ts";

setFlagsFromString("--expose-gc");
const collect: NodeJS.GCFunction = runInNewContext("gc");

const BATCHES = 200;
const COMMANDS = 100;
/** With what it was decided by, a command would leave some 1,200. */
const BYTES_PER_COMMAND_MAX = 100;

/** After small collections only. */
function oldBytes(): number {
  collect({ type: "minor" });
  collect({ type: "minor" });
  const spaces = getHeapSpaceStatistics().filter(({ space_name }) => !space_name.startsWith("new"));
  return spaces.reduce((sum, { space_used_size }) => sum + space_used_size, 0);
}

test("small collections keep nothing of a batch that was decided", () => {
  const memory = createMemory();
  const { account } = aDraft({ accounts: { ann: { creditsPosted: 1_000_000_000n } } });
  const accounts = ["ann", "bob"].map((owner) => ({
    account: present(account({ owner, currency: "EUR" })),
    stamp: 0n,
  }));
  memory.learn({ accounts, closings: 0n }, []);
  const decideMany = () => {
    for (let batch = 0; batch < BATCHES; batch += 1) {
      const { books, sheet } = memory.watch();
      const commands = Array.from({ length: COMMANDS }, () => recordOf());
      const answers = play(draftOn(books, sheet), commands, STAMP);
      expect(answers.every(({ kind }) => kind === "transaction")).toBe(true);
    }
  };
  decideMany();
  collect();
  decideMany();

  const before = oldBytes();
  decideMany();

  expect((oldBytes() - before) / (BATCHES * COMMANDS)).toBeLessThan(BYTES_PER_COMMAND_MAX);
});
