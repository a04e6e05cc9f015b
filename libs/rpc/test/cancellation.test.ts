import { expect, test } from "vitest";
import { CallCancellation, cancellationOf } from "../src/cancellation.ts";
import { failureOf } from "./failure-of.ts";
import { openNotebook } from "./notebook.ts";

test("listeners hear of an end once, and not when they have left", () => {
  const cancellation = new CallCancellation();
  const heard: string[] = [];
  const leaves = () => heard.push("leaves");
  cancellation.addEventListener("abort", () => heard.push("stays"));
  cancellation.addEventListener("abort", leaves);
  cancellation.removeEventListener("abort", leaves);

  cancellation.abort("over");
  cancellation.abort("over again");

  expect(heard).toEqual(["stays"]);
  expect(cancellation.reason).toBe("over");
});

test.each(["before", "after"])("its signal aborts for the same reason, asked for %s", (when) => {
  const cancellation = new CallCancellation();
  const early = when === "before" ? cancellation.signal : undefined;

  cancellation.abort("over");

  const { aborted, reason } = early ?? cancellation.signal;
  expect({ aborted, reason }).toEqual({ aborted: true, reason: "over" });
  expect(cancellation.reason).toBe("over");
});

test("a call that its caller gives up ends for those who listen", async () => {
  const ended = Promise.withResolvers<unknown>();
  const begun = Promise.withResolvers<void>();
  await using book = await openNotebook({
    read(note, ctx) {
      const cancellation = cancellationOf(ctx);
      cancellation.addEventListener("abort", () => ended.resolve(cancellation.reason));
      begun.resolve();
      return ended.promise.then(() => note);
    },
  });
  const leaving = new AbortController();

  const call = failureOf(book.notes.read({}, { signal: leaving.signal }));
  await begun.promise;
  leaving.abort();

  expect(await ended.promise).toMatchObject({ reason: "CANCELED" });
  await call;
});
