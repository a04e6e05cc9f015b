import { createPrivateKey, generateKeyPairSync } from "node:crypto";
import { expect, test } from "vitest";
import {
  CheckpointError,
  checkpointText,
  isSignedBy,
  parseCheckpoint,
  signCheckpoint,
  verifierKey,
} from "../src/index.ts";

// The example of C2SP tlog-checkpoint.
const EXAMPLE = [
  "example.com/behind-the-sofa",
  "20852163",
  "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=",
  "",
  "— example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/" +
    "Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=",
  "",
].join("\n");

test("a checkpoint is read and written as C2SP has it", () => {
  const checkpoint = parseCheckpoint(EXAMPLE);

  expect(checkpoint).toMatchObject({ origin: "example.com/behind-the-sofa", size: 20852163 });
  expect(checkpointText(checkpoint)).toBe(EXAMPLE.split("\n\n")[0]?.concat("\n"));
});

test.each([
  ["nothing", ""],
  [
    "no newline at the end",
    checkpointText({ origin: "a", size: 1, root: Buffer.alloc(32) }).trim(),
  ],
  ["an origin with a space", "a b\n1\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n"],
  ["no origin", "\n1\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n"],
  ["a size with a zero in front", "a\n01\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n"],
  ["a size below zero", "a\n-1\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n"],
  ["a size beyond 2^53", "a\n9999999999999999\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n"],
  ["a short root", "a\n1\nAAAA\n"],
  ["a root with other bits at its end", "a\n1\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB=\n"],
])("%s is no checkpoint", (_what, text) => {
  expect(() => parseCheckpoint(text)).toThrow(CheckpointError);
});

// RFC 8032, 7.1, test 1: the key whose public half begins with d75a9801.
const privateKey = createPrivateKey({
  key: {
    kty: "OKP",
    crv: "Ed25519",
    d: "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A",
    x: "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
  },
  format: "jwk",
});

test("a signed checkpoint is a signed note, and a verifier key has its form", () => {
  const note = signCheckpoint(
    { origin: "log.example/1", size: 3, root: Buffer.alloc(32, 7) },
    privateKey,
  );
  const key = verifierKey("log.example/1", privateKey);

  expect(key).toMatch(
    /^log\.example\/1\+[0-9a-f]{8}\+AddamAGCsQq31Uv\+08lkBzoO4XLz2qYjJa8CGmj3B1Ea$/,
  );
  expect(note).toMatch(
    /^log\.example\/1\n3\nBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=\n\n— log\.example\/1 [A-Za-z0-9+/]{91}=\n$/,
  );
  expect(isSignedBy(note, key)).toBe(true);
  expect(isSignedBy(note.replace("\n3\n", "\n4\n"), key)).toBe(false);
});

test("a checkpoint may bear other signatures too", () => {
  const checkpoint = { origin: "log.example/1", size: 3, root: Buffer.alloc(32, 7) };
  const note = signCheckpoint(checkpoint, privateKey);
  const [text, signature] = note.split("\n\n");
  const witnessed = `${text}\n\n— witness.example AAAAAAAA\n${signature}`;

  expect(isSignedBy(witnessed, verifierKey("log.example/1", privateKey))).toBe(true);
});

test("a checkpoint is signed by Ed25519 keys only", () => {
  const { privateKey: other } = generateKeyPairSync("ec", { namedCurve: "P-256" });

  expect(() => verifierKey("log.example/1", other)).toThrow(CheckpointError);
});
