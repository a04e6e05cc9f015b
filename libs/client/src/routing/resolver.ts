import { ConnectError } from "@connectrpc/connect";
import { experimental, type ServiceConfig } from "@grpc/grpc-js";
import { NEWS, type News, POLICY, registerPolicy } from "./balancer.ts";
import { createRoute, type Desk, type Route } from "./route.ts";
import type { Selection } from "./selection.ts";
import { statusOfAway, statusOfNobody } from "./status.ts";
import { parseTarget } from "./target.ts";

/** The scheme of targets that name a capability. */
export const SCHEME = "bourse";

/** The markets by the name that stands in a target's authority: `bourse://name/capability`. */
const desks = new Map<string, Desk>();

/**
 * Makes `bourse://name/capability` a target of every channel of this process.
 * @throws Error when the name is taken
 */
export function registerDesk(name: string, desk: Desk): void {
  if (desks.has(name)) throw new Error(`calls by ${SCHEME}://${name}/ are routed already`);
  if (desks.size === 0) {
    registerPolicy();
    experimental.registerResolver(SCHEME, CapabilityResolver);
  }
  desks.set(name, desk);
}

/** Takes a name back: no new channel can be made for it. */
export function unregisterDesk(name: string): void {
  desks.delete(name);
}

type Listener = experimental.ResolverListener;
type Options = Readonly<Record<string, unknown>>;

/**
 * Tells a channel whom discovery names for the capability of its target, again whenever that
 * changes.
 */
class CapabilityResolver implements experimental.Resolver {
  readonly #route: Route;

  constructor(uri: experimental.GrpcUri, listener: Listener, options: Options) {
    const desk = desks.get(uri.authority ?? "");
    const text = experimental.uriToString(uri);
    if (desk === undefined) {
      throw new Error(`nobody routes the calls to ${text}: call routeByCapability first`);
    }
    const config = experimental.statusOrFromValue(serviceConfigOf(options));
    const route = createRoute(desk, parseTarget(uri.path), text, (selection) => {
      const news = newsOf(route, text, selection);
      const endpoints = (news.selection?.agents ?? []).map(({ host, port }) => ({
        addresses: [{ host, port }],
      }));
      listener(experimental.statusOrFromValue(endpoints), { [NEWS]: news }, config, "");
    });
    this.#route = route;
  }

  updateResolution(): void {
    this.#route.start();
  }

  destroy(): void {
    this.#route.stop();
  }

  /**
   * What agents see as `:authority`. Faults of a target show here first, as the error of making
   * the channel.
   */
  static getDefaultAuthority(uri: experimental.GrpcUri): string {
    parseTarget(uri.path);
    return SCHEME;
  }
}

function newsOf(route: Route, text: string, selection: Selection | ConnectError): News {
  if (selection instanceof ConnectError) {
    return { route, text, selection: undefined, refusal: statusOfAway(text, selection) };
  }
  const { nobody } = selection;
  const refusal = nobody === undefined ? undefined : statusOfNobody(text, nobody);
  return { route, text, selection, refusal };
}

/** The channel's own service config, with its retries, but balanced as a capability is. */
function serviceConfigOf(options: Options): ServiceConfig {
  const own = options["grpc.service_config"];
  const { methodConfig = [], ...others } =
    typeof own === "string" ? (JSON.parse(own) as Partial<ServiceConfig>) : {};
  return { ...others, methodConfig, loadBalancingConfig: [{ [POLICY]: {} }] };
}
