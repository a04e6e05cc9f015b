import { expect, test } from "vitest";
import { countOf, putAll, rangeOf } from "./etcd-messages.ts";

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");

test("a Range for one key names the key, and says when the member may answer alone", () => {
  expect(hex(rangeOf({ key: "a", serializable: false }))).toBe("0a0161");
  expect(hex(rangeOf({ key: "a", serializable: true }))).toBe("0a01613801");
});

test("a Range for a prefix ends before the first key that lacks it", () => {
  const range = { prefix: "a/", limit: 20, serializable: false };

  expect(hex(rangeOf(range))).toBe("0a02612f1202613018" + "14");
});

test("a Txn puts each pair", () => {
  const value = Uint8Array.of(9);

  expect(hex(putAll([{ key: "a", value }]))).toBe("12081206" + "0a0161" + "120109");
});

test("a Range is answered with a count", () => {
  expect(countOf(Buffer.from("0a00" + "2007", "hex"))).toBe(7);
  expect(countOf(new Uint8Array())).toBe(0);
});
