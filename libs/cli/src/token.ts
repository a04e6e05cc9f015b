import { createSigner, generateKeys } from "@bourse/access";
import { NotationError, parseDuration } from "@bourse/scoring";
import { Failure } from "./failure.ts";
import { isDataFolder, openDataFolder } from "./market/data-folder.ts";

interface TokenOptions {
  readonly agent?: string;
  readonly operator?: boolean;
  readonly auditor?: boolean;
  readonly service?: string;
  readonly ttl: string;
  readonly data: string;
}

/** `bourse token`: prints a bearer token, signed with the key of the market's data folder. */
export async function token(options: TokenOptions): Promise<void> {
  const principals = [
    ...(options.agent === undefined ? [] : [`agent:${options.agent}`]),
    ...(options.operator ? ["operator"] : []),
    ...(options.auditor ? ["auditor"] : []),
    ...(options.service === undefined ? [] : [`service:${options.service}`]),
  ];
  const [principal] = principals;
  if (principal === undefined || principals.length > 1) {
    throw new Failure("give one of --agent ID, --operator, --auditor, --service NAME");
  }
  if (options.agent !== undefined && !/^[A-Za-z0-9_-]{1,64}$/.test(options.agent)) {
    throw new Failure("--agent takes an id of 1 to 64 letters, digits, _ or -");
  }
  if (!isDataFolder(options.data)) {
    throw new Failure(`there is no market in ${options.data} yet: start one with ./bourse up`);
  }
  const keys = await generateKeys(openDataFolder(options.data).keys);
  const signer = await createSigner({ keyFile: keys.keyFile });
  console.log(await signer.mint(principal, secondsOf(options.ttl)));
}

function secondsOf(ttl: string): number {
  try {
    return Math.max(1, Math.floor(Number(parseDuration(ttl)) / 1000));
  } catch (error) {
    if (error instanceof NotationError) throw new Failure(`--ttl: ${error.message}`);
    throw error;
  }
}
