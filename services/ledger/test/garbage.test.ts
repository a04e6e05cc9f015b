import "../src/garbage.ts";
import { getHeapSpaceStatistics, setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { expect, test } from "vitest";
import { draftOn, present } from "../src/books.ts";
import { type Command, play } from "../src/command.ts";
import { createMemory } from "../src/postgres/memory.ts";
import { depositOf, eur, openDatabase, openStores, recordOf, settleOf } from "./books.ts";
import { aDraft, STAMP } from "./drafts.ts";

setFlagsFromString("--expose-gc");
const collect: NodeJS.GCFunction = runInNewContext("gc");

const COMMANDS = 100;
/** Of what is decided, some 1,200 would stay; of buffers 950. */
const BYTES_PER_COMMAND_MAX = 100;

function collectSmall(): void {
  collect({ type: "minor" });
  collect({ type: "minor" });
}

function oldBytes(): number {
  const spaces = getHeapSpaceStatistics().filter(({ space_name }) => !space_name.startsWith("new"));
  return spaces.reduce((sum, { space_used_size }) => sum + space_used_size, 0);
}

/** Records that bear ids of their own, and then what settles them. */
function payments(): readonly (readonly Command[])[] {
  const records = Array.from({ length: COMMANDS }, () => recordOf());
  return [records, records.map(({ terms: { id } }) => settleOf(id))];
}

test("small collections keep nothing of payments that were decided", () => {
  const memory = createMemory();
  const { account } = aDraft({ accounts: { ann: { creditsPosted: 1_000_000_000n } } });
  const accounts = ["ann", "bob"].map((owner) => ({
    account: present(account({ owner, currency: "EUR" })),
    stamp: 0n,
  }));
  memory.learn({ accounts, closings: 0n }, []);
  const rounds = 100;
  const decideMany = () => {
    for (let round = 0; round < rounds; round += 1) {
      for (const commands of payments()) {
        const { books, sheet, stage } = memory.watch();
        const draft = draftOn(books, sheet);
        const answers = play(draft, commands, STAMP);
        expect(answers.every(({ kind }) => kind === "transaction")).toBe(true);
        stage(draft.changed.transactions.values(), 0n);
      }
    }
  };
  decideMany();
  collect();
  decideMany();

  collectSmall();
  const before = oldBytes();
  decideMany();

  collectSmall();
  expect((oldBytes() - before) / (2 * rounds * COMMANDS)).toBeLessThan(BYTES_PER_COMMAND_MAX);
});

test("small collections free the buffers by which payments were written", async () => {
  await using database = await openDatabase();
  const { ledger } = openStores(database);
  await ledger.commit([depositOf({ amount: eur(1_000_000_000) }), depositOf({ owner: "bob" })]);
  const rounds = 10;
  const commitMany = async () => {
    for (let round = 0; round < rounds; round += 1) {
      for (const commands of payments()) await ledger.commit(commands);
    }
  };
  await commitMany();
  collect();
  await commitMany();

  collectSmall();
  const before = process.memoryUsage().arrayBuffers;
  await commitMany();

  collectSmall();
  const kept = process.memoryUsage().arrayBuffers - before;
  expect(kept / (2 * rounds * COMMANDS)).toBeLessThan(BYTES_PER_COMMAND_MAX);
});
