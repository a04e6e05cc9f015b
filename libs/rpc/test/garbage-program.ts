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

const waiting: (() => void)[] = [];
let come = 0;

await using book = await openNotebook(
  {
    write: (note) =>
      new Promise((answer) => {
        waiting.push(() => answer(note));
        come += 1;
        if (come === ABREAST / 2) collect();
        if (come % ABREAST === 0) for (const go of waiting.splice(0)) go();
      }),
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

await callMany();
const before = oldBytes();
await callMany();
process.stdout.write(String((oldBytes() - before) / CALLS));
