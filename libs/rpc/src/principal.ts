import { createContextKey } from "@connectrpc/connect";

/** Who is calling. */
export interface Principal {
  readonly kind: "anonymous" | "agent" | "operator" | "auditor" | "service";
  /** Agent id or service name; "" for the other kinds. */
  readonly id: string;
}

/** The caller who showed no token. */
export const ANONYMOUS: Principal = Object.freeze({ kind: "anonymous", id: "" });

/**
 * `agent:<id>`, `service:<name>`, `operator`, `auditor` or `anonymous`: how tokens, logs and tables
 * name a principal.
 */
export function formatPrincipal(principal: Principal): string {
  return principal.id === "" ? principal.kind : `${principal.kind}:${principal.id}`;
}

/** In a handler: `ctx.values.get(principalKey)` is who is calling. */
export const principalKey = createContextKey<Principal>(ANONYMOUS, { description: "principal" });
