import { createSigner, generateKeys } from "@bourse/access";
import { type Connection, connect, reasonOf } from "@bourse/client";
import { ConnectError } from "@connectrpc/connect";
import { Failure } from "../failure.ts";
import { isDataFolder, openDataFolder, readRunning } from "../market/data-folder.ts";
import { isAlive } from "../market/process-id.ts";

const TOKEN_TTL_SECONDS = 600;

/**
 * Connects to a market as an auditor: to the one that runs on a data folder or, when the
 * environment has a BOURSE_TOKEN, as its bearer to where the environment says.
 * @throws Failure when no market runs there
 */
export async function openMarket(data: string): Promise<Connection> {
  if (process.env["BOURSE_TOKEN"]) return connect();
  if (!isDataFolder(data)) {
    throw new Failure(
      `there is no market in ${data}: start one with ./bourse up, or set BOURSE_TOKEN`,
    );
  }
  const folder = openDataFolder(data);
  const running = readRunning(folder);
  if (running === undefined || !isAlive(running.supervisor)) {
    throw new Failure(`no market runs on ${folder.root}: start it with ./bourse up`);
  }
  const { keyFile } = await generateKeys(folder.keys);
  const signer = await createSigner({ keyFile });
  return connect({
    addresses: Object.fromEntries(running.services.map(({ name, address }) => [name, address])),
    // Minted for each call: an export may take longer than a token is good for.
    token: () => signer.mint("auditor", TOKEN_TTL_SECONDS),
  });
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
