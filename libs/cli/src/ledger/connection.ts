import { createSigner, generateKeys } from "@bourse/access";
import { type Connection, connect, reasonOf } from "@bourse/client";
import { ConnectError } from "@connectrpc/connect";
import { Failure } from "../failure.ts";
import { isDataFolder, openDataFolder, readRunning } from "../market/data-folder.ts";
import { isAlive } from "../market/process-id.ts";

const TOKEN_TTL_SECONDS = 600;

/**
 * Connects to the market that runs on a data folder, as an auditor unless told otherwise, or as the bearer of the
 * BOURSE_TOKEN of the environment. Where the environment has a token and names an address, or no
 * market runs there, it goes to where the environment says.
 * @throws Failure when no market runs there and there is no token
 */
export async function openMarket(
  data: string,
  principal: "auditor" | "operator" = "auditor",
): Promise<Connection> {
  const running = isDataFolder(data) ? runningOn(data) : undefined;
  if (process.env["BOURSE_TOKEN"]) return connect({ addresses: running?.unnamed ?? {} });
  if (running === undefined) {
    throw new Failure(`no market runs on ${data}: start one with ./bourse up, or set BOURSE_TOKEN`);
  }
  const { keyFile } = await generateKeys(running.keys);
  const signer = await createSigner({ keyFile });
  return connect({
    addresses: running.addresses,
    // Minted for each call: an export may take longer than a token is good for.
    token: () => signer.mint(principal, TOKEN_TTL_SECONDS),
  });
}

/** Where the market of a data folder serves, and the part of it that the environment does not name. */
function runningOn(data: string) {
  const folder = openDataFolder(data);
  const running = readRunning(folder);
  if (running === undefined || !isAlive(running.supervisor)) return undefined;
  const addresses = running.services.map(({ name, address }) => [name, address] as const);
  const unnamed = addresses.filter(
    ([name]) => !process.env[`BOURSE_${name.toUpperCase()}_ADDRESS`],
  );
  return {
    keys: folder.keys,
    addresses: Object.fromEntries(addresses),
    unnamed: Object.fromEntries(unnamed),
  };
}

/** Runs a command; what a service refuses becomes a sentence. */
export async function tellingRefusals(work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!(error instanceof ConnectError)) throw error;
    throw new Failure(`${reasonOf(error)}: ${error.rawMessage}`);
  }
}
