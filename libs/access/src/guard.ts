import {
  ANONYMOUS,
  type CallHeaders,
  formatPrincipal,
  type Guard,
  type Principal,
} from "@bourse/rpc";
import { Rejection } from "@bourse/rpc/rejection";
import type { DescMethod, Message } from "@bufbuild/protobuf";
import { type AccessRule, isOpenService, readRule } from "./rule.ts";
import { createVerifier, unauthenticated } from "./token.ts";

/** A guard that can be told to read its keys at start. */
export interface AccessGuard extends Guard {
  /** Reads the JWKS file; throws when it is missing or holds no usable key. */
  load(): Promise<void>;
}

/**
 * Guards a server by the access rules of its contract.
 *
 * - `authenticate` names the caller (UNAUTHENTICATED) and refuses callers of a wrong kind and
 *   methods without a
 *   rule (PERMISSION_DENIED), before any message is read.
 * - `authorize` refuses an agent that acts for another one (PERMISSION_DENIED with metadata
 *   `field`).
 * - Health and reflection are open to everybody, also with a broken token.
 */
export function createGuard(options: {
  readonly jwksFile: string;
  readonly now?: () => Date;
}): AccessGuard {
  const { jwksFile, now = () => new Date() } = options;
  const verifier = createVerifier({ jwksFile, now });
  const rules = new WeakMap<DescMethod, AccessRule>();

  function ruleOf(method: DescMethod): AccessRule {
    const known = rules.get(method);
    if (known !== undefined) return known;
    const rule = readRule(method);
    if (rule === undefined) throw withoutRule(method);
    rules.set(method, rule);
    return rule;
  }

  return {
    load: () => verifier.load(),
    authenticate(method, headers) {
      if (isOpenService(method.parent)) return ANONYMOUS;
      const rule = ruleOf(method);
      const token = bearerToken(headers);
      if (token === undefined && !rule.kinds.has("anonymous")) throw unauthenticated("MISSING");
      const principal = token === undefined ? ANONYMOUS : verifier.verify(token);
      if (principal instanceof Promise) {
        return principal.then((verified) => checkKind(method, rule, verified));
      }
      return checkKind(method, rule, principal);
    },
    authorize(method, principal, request) {
      if (isOpenService(method.parent)) return;
      const rule = ruleOf(method);
      checkKind(method, rule, principal);
      if (principal.kind === "agent") checkFields(rule, principal, request);
    },
  };
}

function bearerToken(headers: CallHeaders): string | undefined {
  const value = headers.get("authorization");
  if (value === null) return undefined;
  const token = /^bearer +([A-Za-z0-9._-]+)$/i.exec(value)?.[1];
  if (token === undefined) throw unauthenticated("MALFORMED");
  return token;
}

/** The principal, if the rule lets it in. */
function checkKind(method: DescMethod, rule: AccessRule, principal: Principal): Principal {
  if (rule.kinds.has("anonymous")) return principal;
  const named = rule.services.size === 0 || rule.services.has(principal.id);
  if (rule.kinds.has(principal.kind) && (principal.kind !== "service" || named)) return principal;
  const caller = formatPrincipal(principal);
  const welcome = [...rule.kinds].join(", ");
  throw new Rejection(
    "PERMISSION_DENIED",
    `${caller} may not call ${method.name}, which is open to: ${welcome}`,
    { metadata: { principal: caller, method: methodName(method) } },
  );
}

function checkFields(rule: AccessRule, principal: Principal, request: Message): void {
  for (const field of rule.agentFields) {
    const other = field.values(request).find((value) => value !== principal.id);
    if (other === undefined) continue;
    const caller = formatPrincipal(principal);
    throw new Rejection(
      "PERMISSION_DENIED",
      `an agent may only act for itself: ${field.path} must be "${principal.id}"`,
      { metadata: { principal: caller, field: field.path } },
    );
  }
}

function withoutRule(method: DescMethod): Rejection {
  return new Rejection("PERMISSION_DENIED", `${method.name} has no access rule in its contract`, {
    metadata: { method: methodName(method) },
  });
}

function methodName(method: DescMethod): string {
  return `${method.parent.typeName}/${method.name}`;
}
