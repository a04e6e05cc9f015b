import { type Signer, serviceToken } from "@bourse/access";
import { describe, expect, test } from "vitest";

/** A signer that tells which mint a token came from. */
function countingSigner(): Signer & { readonly minted: string[] } {
  const minted: string[] = [];
  return {
    minted,
    async mint(principal, ttlSeconds) {
      minted.push(`${principal} ${ttlSeconds}`);
      return `token ${minted.length}`;
    },
  };
}

describe("the token of a service", () => {
  test("is minted once for many callers at once", async () => {
    const signer = countingSigner();
    const token = serviceToken(signer, "auction");

    const tokens = await Promise.all([token(), token(), token()]);

    expect(tokens).toEqual(["token 1", "token 1", "token 1"]);
    expect(signer.minted).toEqual(["service:auction 600"]);
  });

  test("is renewed when a quarter of its life is left", async () => {
    let nowMs = 0;
    const token = serviceToken(countingSigner(), "auction", {
      now: () => new Date(nowMs),
      ttlSeconds: 100,
    });

    expect(await token()).toBe("token 1");
    nowMs = 74_999;
    expect(await token()).toBe("token 1");
    nowMs = 75_000;
    expect(await token()).toBe("token 2");
  });

  test("is tried again after a failure", async () => {
    let attempts = 0;
    const token = serviceToken(
      {
        async mint() {
          attempts += 1;
          if (attempts === 1) throw new Error("no key yet");
          return "token";
        },
      },
      "auction",
    );

    await expect(token()).rejects.toThrow("no key yet");
    expect(await token()).toBe("token");
  });
});
