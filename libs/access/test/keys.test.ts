import { mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createSigner, generateKeys } from "@bourse/access";
import { afterEach, beforeEach, describe, expect, test } from "vitest";

let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "bourse-keys-"));
});
afterEach(() => rm(directory, { recursive: true }));

async function readKeys(jwksFile: string): Promise<readonly Record<string, unknown>[]> {
  return JSON.parse(await readFile(jwksFile, "utf8")).keys;
}

describe("the keys of a market", () => {
  test("are a private key that only its owner reads and a public half", async () => {
    const { keyFile, jwksFile } = await generateKeys(join(directory, "deep", "down"));

    const { d, kid, x } = JSON.parse(await readFile(keyFile, "utf8"));
    expect((await stat(keyFile)).mode & 0o777).toBe(0o600);
    expect(d).toBeTypeOf("string");
    const [published] = await readKeys(jwksFile);
    expect(published).toEqual({ kty: "OKP", crv: "Ed25519", alg: "EdDSA", use: "sig", kid, x });
  });

  test("stay as they are when they are asked for again", async () => {
    const { keyFile, jwksFile } = await generateKeys(directory);
    const before = [await readFile(keyFile, "utf8"), await readFile(jwksFile, "utf8")];

    await generateKeys(directory);

    expect([await readFile(keyFile, "utf8"), await readFile(jwksFile, "utf8")]).toEqual(before);
  });

  test("are one pair, without leftovers, when many processes ask at once", async () => {
    await Promise.all(Array.from({ length: 12 }, () => generateKeys(directory)));

    const { kid } = JSON.parse(await readFile(join(directory, "key.json"), "utf8"));
    expect((await readKeys(join(directory, "jwks.json"))).map((key) => key["kid"])).toEqual([kid]);
    expect(await readdir(directory)).toEqual(["jwks.json", "key.json"]);
  });

  test("get their lost public half back", async () => {
    const { jwksFile } = await generateKeys(directory);
    const before = await readFile(jwksFile, "utf8");
    await rm(jwksFile);

    await generateKeys(directory);

    expect(await readFile(jwksFile, "utf8")).toBe(before);
  });

  test("rotate when the private key is removed: the old public one stays", async () => {
    const { keyFile, jwksFile } = await generateKeys(directory);
    const [old] = await readKeys(jwksFile);
    await rm(keyFile);

    await generateKeys(directory);

    const keys = await readKeys(jwksFile);
    expect(keys).toHaveLength(2);
    expect(keys[0]).toEqual(old);
  });

  test("are not overwritten when the public file is unreadable", async () => {
    const { jwksFile } = await generateKeys(directory);
    await writeFile(jwksFile, "{");

    await expect(generateKeys(directory)).rejects.toThrow(jwksFile);

    expect(await readFile(jwksFile, "utf8")).toBe("{");
  });
});

describe("a signer", () => {
  test.each(["", "agent:", "anonymous", "root", "agent:a b"])(
    "mints nothing for %j",
    async (name) => {
      const signer = await createSigner(await generateKeys(directory));

      await expect(signer.mint(name, 60)).rejects.toThrow(RangeError);
    },
  );

  test.each([0, -1, 1.5, Number.NaN])("mints nothing that lives for %d seconds", async (ttl) => {
    const signer = await createSigner(await generateKeys(directory));

    await expect(signer.mint("operator", ttl)).rejects.toThrow(RangeError);
  });

  test("names the file that it cannot use, and not its content", async () => {
    const keyFile = join(directory, "key.json");
    await expect(createSigner({ keyFile })).rejects.toThrow(keyFile);
    await writeFile(keyFile, "d3cr3t");
    await expect(createSigner({ keyFile })).rejects.toThrow(/^(?!.*d3cr3t).*no JSON/);
    await writeFile(keyFile, '{"kty":"OKP","crv":"Ed25519","x":"d3cr3t"}');
    await expect(createSigner({ keyFile })).rejects.toThrow(
      /^(?!.*d3cr3t).*no Ed25519 private key/,
    );
  });
});
