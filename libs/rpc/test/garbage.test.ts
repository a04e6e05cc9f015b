import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";

/** Tables of numbers that the calls went by; with what they held it would be thousands. */
const BYTES_PER_CALL_MAX = 500;

test("small collections keep nothing of a call that is over, also after a large one", async () => {
  const program = join(import.meta.dirname, "garbage-program.ts");
  const node = [process.execPath, ["--expose-gc", program]] as const;

  const { stdout } = await promisify(execFile)(...node);

  expect(Number.parseFloat(stdout)).toBeLessThan(BYTES_PER_CALL_MAX);
});
