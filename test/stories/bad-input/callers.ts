import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createSigner, generateKeys } from "@bourse/access";
import { aProfile } from "../../support/agent.ts";
import { aTask, terms } from "../../support/task.ts";
import type { Row, World } from "./world.ts";

const NOBODY = { code: "Unauthenticated", reason: "UNAUTHENTICATED" } as const;
const REUSED = { code: "AlreadyExists", reason: "REQUEST_ID_REUSED" } as const;

async function forged(principal: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "bourse-forger-"));
  try {
    const { keyFile } = await generateKeys(folder);
    return await (await createSigner({ keyFile })).mint(principal, 60);
  } finally {
    await rm(folder, { recursive: true });
  }
}

function registerWith(token: (world: World) => Promise<string | undefined>): Row["call"] {
  return async (world) =>
    world.market
      .bearing(await token(world))
      .registry.registerAgent({ agentId: "newcomer", profile: aProfile() });
}

/** What must be refused for who asks, or for having been asked before. */
export const callerRows: readonly Row[] = [
  { title: "calling without a token", call: registerWith(async () => undefined), ...NOBODY },
  { title: "calling with words for a token", call: registerWith(async () => "please"), ...NOBODY },
  {
    title: "calling with a token of another market's key",
    call: registerWith(() => forged("operator")),
    ...NOBODY,
  },
  {
    title: "calling with a token whose content was changed",
    call: registerWith(async ({ market }) => {
      const token = await market.market.signer.mint("auditor", 60);
      const [header, body = "", signature] = token.split(".");
      const claims = JSON.parse(Buffer.from(body, "base64url").toString());
      const changed = Buffer.from(JSON.stringify({ ...claims, sub: "operator" }));
      return `${header}.${changed.toString("base64url")}.${signature}`;
    }),
    ...NOBODY,
  },
  {
    title: "calling with an unsigned token",
    call: registerWith(async ({ market }) => {
      const [, body] = (await market.market.signer.mint("operator", 60)).split(".");
      const header = Buffer.from('{"alg":"none"}').toString("base64url");
      return `${header}.${body}.`;
    }),
    ...NOBODY,
  },
  {
    title: "posting another task under a request_id that was used",
    call: ({ buyer }) =>
      buyer.auction.postTask({
        requestId: "open",
        requester: buyer.id,
        spec: aTask({ taskType: "another" }),
      }),
    ...REUSED,
  },
  {
    title: "bidding other terms under a request_id that was used",
    call: ({ worker, open }) =>
      worker.auction.submitBid({
        requestId: "bid-on-open",
        taskId: open.taskId,
        agentId: worker.id,
        terms: terms({ successRate: 1 }),
      }),
    ...REUSED,
  },
  {
    title: "registering another profile under a request_id that was used",
    call: ({ operator }) =>
      operator.registry.registerAgent({
        requestId: "rival",
        agentId: "newcomer",
        profile: aProfile(),
      }),
    ...REUSED,
  },
];
