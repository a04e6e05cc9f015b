import { join } from "node:path";
import { SERVICE_NAMES } from "@bourse/cli/market";
import { type Running, start } from "./command.ts";
import type { TestMarket } from "./market.ts";

/** A program of examples/ that runs beside a market, as whoever it calls itself; killed when disposed. */
export async function runExample(
  { market }: TestMarket,
  principal: string,
  program: string,
  ...parameters: readonly string[]
): Promise<Running & AsyncDisposable> {
  const addresses = SERVICE_NAMES.map((name) => {
    return [`BOURSE_${name.toUpperCase()}_ADDRESS`, market.address(name)] as const;
  });
  const token = await market.signer.mint(principal, 600);
  const env = { ...process.env, ...Object.fromEntries(addresses), BOURSE_TOKEN: token };
  const interpreter = program.endsWith(".py") ? "python3" : process.execPath;
  const running = start(interpreter, [join("examples", program), ...parameters], env);
  return {
    ...running,
    async [Symbol.asyncDispose]() {
      running.process.kill("SIGKILL");
      await running.ended;
    },
  };
}
