import type { DescMessage, DescMethod, DescService, Message } from "@bufbuild/protobuf";
import type { HandlerContext, ServiceImpl } from "@connectrpc/connect";
import { KnownRequests } from "./known-requests.ts";
import type { CallHeaders } from "./metadata.ts";
import type { Principal } from "./principal.ts";
import { Rejection } from "./rejection.ts";

/** A contract and what serves it. */
export interface Binding {
  readonly desc: DescService;
  readonly impl: object;
}

/**
 * Joins a contract to its implementation; a method that is missing at run time answers
 * UNIMPLEMENTED.
 */
export function bind<S extends DescService>(desc: S, impl: ServiceImpl<S>): Binding {
  return { desc, impl };
}

/**
 * Who may call what. Both hooks refuse by throwing a Rejection (UNAUTHENTICATED,
 * PERMISSION_DENIED).
 */
export interface Guard {
  /** Once per call, before any message is read. A promise only where it must wait. */
  authenticate(method: DescMethod, headers: CallHeaders): Principal | Promise<Principal>;
  /** For each request message of the call, after it was found valid. */
  authorize(method: DescMethod, principal: Principal, request: Message): void;
}

/** A handler with its types erased: which of the four shapes it has is told by `Route.kind`. */
export type Handler = (request: never, ctx: HandlerContext) => unknown;

/** All that is known of a method before it is called. */
export interface Route {
  readonly method: DescMethod;
  readonly kind: DescMethod["methodKind"];
  /** `bourse.ledger.v1.LedgerService/GetBalances` */
  readonly name: string;
  readonly input: DescMessage;
  readonly output: DescMessage;
  readonly handler: Handler;
  /** Undefined: anyone may call. */
  readonly guard: Guard | undefined;
  /** Those it was asked of late, when they are to be remembered. */
  readonly known: KnownRequests | undefined;
}

/** The routes of a binding; requests of `repeated` methods are remembered. */
export function routesOf(
  binding: Binding,
  guard: Guard | undefined,
  repeated: readonly DescMethod[],
): Route[] {
  const { desc } = binding;
  const impl = binding.impl as Readonly<Record<string, Handler | undefined>>;
  return desc.methods.map((method) => {
    const name = `${desc.typeName}/${method.name}`;
    const handler = impl[method.localName]?.bind(impl) ?? unimplemented(name);
    const { methodKind: kind, input, output } = method;
    const known = repeated.includes(method) ? new KnownRequests(input) : undefined;
    return { method, kind, name, input, output, handler, guard, known };
  });
}

function unimplemented(name: string): Handler {
  return () => {
    throw new Rejection("UNIMPLEMENTED", `${name} is not implemented`);
  };
}
