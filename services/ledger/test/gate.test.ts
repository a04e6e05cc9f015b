import { expect, test } from "vitest";
import { createGate } from "../src/gate.ts";

/** A gate, and who has got in through it. */
function aGate() {
  const gate = createGate<"a" | "b">();
  const entered: string[] = [];
  return {
    entered,
    leave: gate.leave,
    async enter(name: "a" | "b") {
      await gate.enter(name);
      entered.push(name);
    },
  };
}

test("a gate lets in one kind, and the other when all of those have left", async () => {
  const { enter, leave, entered } = aGate();
  await Promise.all([enter("a"), enter("a")]);
  const other = enter("b");

  leave();
  await Promise.resolve();
  expect(entered).toEqual(["a", "a"]);
  leave();
  await other;
  expect(entered).toEqual(["a", "a", "b"]);
});

test("who comes to a gate after another kind waits behind it, and all of a kind enter together", async () => {
  const { enter, leave, entered } = aGate();
  await enter("a");
  const [, ...rest] = [enter("b"), enter("b"), enter("a"), enter("b")];

  leave();
  await rest[0];
  expect(entered).toEqual(["a", "b", "b"]);
  leave();
  leave();
  await rest[1];
  expect(entered).toEqual(["a", "b", "b", "a"]);
  leave();
  await rest[2];
  expect(entered).toEqual(["a", "b", "b", "a", "b"]);
});

test("a gate that everybody has left is open to each", async () => {
  const { enter, leave, entered } = aGate();
  for (const name of ["a", "b", "a"] as const) {
    await enter(name);
    leave();
  }

  expect(entered).toEqual(["a", "b", "a"]);
});
