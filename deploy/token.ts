import { createSigner } from "@bourse/access";

const HOUR_SECONDS = 3_600;

/** Prints a token for a principal: token operator [seconds], or token agent:iso-reader. */
const [, , principal = "", seconds = String(HOUR_SECONDS)] = process.argv;

if (principal === "") {
  process.stderr.write("usage: token operator|auditor|agent:ID|service:NAME [seconds]\n");
  process.exitCode = 2;
} else {
  const signer = await createSigner({
    keyFile: process.env["BOURSE_KEY_FILE"] ?? "/keys/key.json",
  });
  process.stdout.write(`${await signer.mint(principal, Number(seconds))}\n`);
}
