import { setImmediate as turn } from "node:timers/promises";
import { getHeapSpaceStatistics } from "node:v8";
import { create, toBinary } from "@bufbuild/protobuf";
import { openCaller } from "../src/bench/caller.ts";
import { ANONYMOUS } from "../src/index.ts";
import { openNotebook } from "./notebook.ts";
import { NoteService } from "./notes.ts";

// Prints how many bytes of each call are still there when it is over and small collections have gone by. A large one
// comes before, while calls are under way.

const CALLS = 5_000;
const ABREAST = 200;

const collect = globalThis.gc as NodeJS.GCFunction;
const { write } = NoteService.method;
const request = toBinary(write.input, create(write.input, { text: "a note" }));

await using book = await openNotebook(
  {
    async write(note) {
      await turn();
      return note;
    },
  },
  { guard: { authenticate: () => ANONYMOUS, authorize: () => {} }, onFinished: () => {} },
);
using caller = openCaller(book.server.address, "me");

async function callMany(): Promise<void> {
  const one = () => caller.call(`${NoteService.typeName}/${write.name}`, request);
  for (let call = 0; call < CALLS; call += ABREAST) {
    await Promise.all(Array.from({ length: ABREAST }, one));
  }
}

function oldBytes(): number {
  collect({ type: "minor" });
  collect({ type: "minor" });
  const spaces = getHeapSpaceStatistics().filter(({ space_name }) => !space_name.startsWith("new"));
  return spaces.reduce((sum, { space_used_size }) => sum + space_used_size, 0);
}

const first = callMany();
await turn();
collect();
await first;
await callMany();
const before = oldBytes();
await callMany();
process.stdout.write(String((oldBytes() - before) / CALLS));
