import { ANONYMOUS, type Principal } from "@bourse/rpc";

const AGENT_ID = /^[A-Za-z0-9_-]{1,64}$/;
const SERVICE_NAME = /^[a-z][a-z0-9-]{0,62}$/;

/**
 * Reads what `formatPrincipal` writes; anything else is undefined, and nothing is trimmed or
 * folded.
 */
export function parsePrincipal(text: string): Principal | undefined {
  if (text === "operator" || text === "auditor") return { kind: text, id: "" };
  if (text === "anonymous") return ANONYMOUS;
  const colon = text.indexOf(":");
  const kind = text.slice(0, Math.max(colon, 0));
  const id = text.slice(colon + 1);
  if (kind === "agent" && AGENT_ID.test(id)) return { kind, id };
  if (kind === "service" && SERVICE_NAME.test(id)) return { kind, id };
  return undefined;
}
