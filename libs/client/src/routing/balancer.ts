import { experimental, connectivityState as State, type StatusObject } from "@grpc/grpc-js";
import { type Choosable, choose } from "./choice.ts";
import { verdictOf } from "./result.ts";
import type { Route } from "./route.ts";
import type { NamedAgent, Selection } from "./selection.ts";
import { statusOfUnreachable } from "./status.ts";

/** Who leaves in good order is named no more by then. */
const LEAVING_MS = 200;
/** Who is tried gets a call so often: its successes are told as one a second anyway. */
const TRIAL_MS = 1_000;

/** The name of the policy in a service config. */
export const POLICY = "bourse_agents";

/**
 * Under this name the resolver hands the balancer what discovery said; it stays out of the
 * connections' options.
 */
export const NEWS = `${experimental.SUBCHANNEL_ARGS_EXCLUDE_KEY_PREFIX}.bourse_agents`;

/** What the resolver hands the balancer. */
export interface News {
  readonly route: Route;
  /** The target as the caller wrote it. */
  readonly text: string;
  /** Whom to call; undefined when discovery did not answer. */
  readonly selection: Selection | undefined;
  /** How calls end while nobody is named. */
  readonly refusal: StatusObject | undefined;
}

type Helper = experimental.ChannelControlHelper;
type Options = Parameters<experimental.LoadBalancer["updateAddressList"]>[2];
type Endpoints = Parameters<experimental.LoadBalancer["updateAddressList"]>[0];
type Pick = experimental.Picker["pick"];
type OnCallEnded = NonNullable<experimental.PickResult["onCallEnded"]>;

/** One agent: its connection, and the calls that this channel makes to it. */
interface Line extends Choosable {
  readonly agentId: string;
  readonly leaf: experimental.LeafLoadBalancer;
  rank: number;
  underWay: number;
  lastPick: number;
  /** Why it cannot be reached, while it cannot. */
  fault: string | undefined;
  /** When it was lost, on the clock of the calls. */
  lostMs: number;
  /** It has been reached since discovery named it last. */
  reached: boolean;
  /** It is to be tried, by one call at a time. */
  onTrial: boolean;
  /** When it was tried last. */
  triedMs: number;
}

class PolicyConfig implements experimental.TypedLoadBalancingConfig {
  static createFromJson(): PolicyConfig {
    return new PolicyConfig();
  }
  getLoadBalancerName(): string {
    return POLICY;
  }
  toJsonObject(): object {
    return { [POLICY]: {} };
  }
}

/** Makes the policy known to grpc-js; once is enough. */
export function registerPolicy(): void {
  experimental.registerLoadBalancerType(POLICY, AgentBalancer, PolicyConfig);
}

/**
 * Keeps a connection to each agent that discovery names, and shares the calls of a channel among
 * them.
 */
class AgentBalancer implements experimental.LoadBalancer {
  readonly #helper: Helper;
  #lines = new Map<string, Line>();
  #news: News | undefined;
  #picks = 0;
  /** While lines are made they say what does not concern anybody yet. */
  #busy = false;

  constructor(helper: Helper) {
    this.#helper = helper;
  }

  getTypeName(): string {
    return POLICY;
  }

  updateAddressList(_endpoints: Endpoints, _config: PolicyConfig, options: Options): boolean {
    const news = options[NEWS] as News;
    this.#news = news;
    if (news.selection !== undefined) this.#connect(news.selection, options);
    // Also when discovery did not answer: calls may be waiting to be told just that.
    this.#publish();
    return true;
  }

  exitIdle(): void {
    for (const { leaf } of this.#lines.values()) leaf.exitIdle();
  }

  resetBackoff(): void {}

  destroy(): void {
    for (const { leaf } of this.#lines.values()) leaf.destroy();
    this.#lines.clear();
  }

  /**
   * Connects to who is new and leaves who is not named any more; calls that it has taken go on to
   * their end.
   */
  #connect({ agents, trial }: Selection, options: Options): void {
    const named = trial === undefined ? agents : [...agents, trial];
    const before = this.#lines;
    this.#lines = new Map();
    this.#busy = true;
    for (const [rank, agent] of named.entries()) {
      const key = `${agent.agentId} ${agent.host} ${agent.port}`;
      const line = before.get(key) ?? this.#line(agent, options);
      before.delete(key);
      line.rank = rank;
      line.onTrial = agent === trial;
      if (this.#isNamedAlthoughLost(line)) this.#accuse(line);
      this.#lines.set(key, line);
    }
    for (const { leaf } of before.values()) leaf.destroy();
    this.#busy = false;
  }

  #line({ agentId, host, port }: NamedAgent, options: Options): Line {
    const helper = experimental.createChildChannelControlHelper(this.#helper, {
      updateState: (state, _picker, fault) => this.#onState(line, state, fault),
      requestReresolution: () => this.#news?.route.hurry(),
    });
    // With TLS the certificate must be the agent's own, not one of the capability's name.
    const own = { "grpc.ssl_target_name_override": host, ...options };
    const leaf = new experimental.LeafLoadBalancer(
      { addresses: [{ host, port }] },
      helper,
      this.#news?.route.target.tls === true ? own : options,
      "",
    );
    const line: Line = {
      agentId,
      leaf,
      rank: 0,
      underWay: 0,
      lastPick: 0,
      fault: undefined,
      lostMs: 0,
      reached: false,
      onTrial: false,
      triedMs: -Infinity,
    };
    leaf.startConnecting();
    return line;
  }

  #onState(line: Line, state: State, fault: string | null): void {
    const news = this.#news;
    if (state === State.READY) {
      line.fault = undefined;
      line.reached = true;
    } else if (state === State.TRANSIENT_FAILURE) {
      const known = line.fault !== undefined;
      line.fault = fault ?? "no connection";
      if (!known) line.lostMs = news?.route.desk.now() ?? 0;
      if (!known && line.reached) news?.route.shun(line.agentId);
      else if (!known) this.#accuse(line);
    } else if (state === State.IDLE && !this.#busy) {
      news?.route.hurry();
      line.leaf.exitIdle();
    }
    if (!this.#busy) this.#publish();
  }

  #isNamedAlthoughLost({ fault, reached, lostMs }: Line): boolean {
    const { route } = this.#news as News;
    if (fault === undefined || !reached || !route.isCurrent()) return false;
    return route.desk.now() - lostMs >= LEAVING_MS;
  }

  /**
   * Tells of an agent that discovery names and that cannot be reached. One that was lost is not told
   * of until it is named again: it may have left in good order, and discovery know that by then.
   */
  #accuse(line: Line): void {
    line.reached = false;
    const unreachable = { result: "FAILURE", away: true, latencyMs: 0 } as const;
    this.#news?.route.note(line.agentId, unreachable);
  }

  #publish(): void {
    const news = this.#news;
    if (news === undefined) return;
    const lines = [...this.#lines.values()];
    const ready = lines.filter(({ leaf }) => leaf.getConnectivityState() === State.READY);
    if (ready.length > 0) {
      const pick: Pick = (args) => this.#pick(news.route, ready, args);
      this.#helper.updateState(State.READY, { pick }, null);
    } else if (lines.some(({ fault }) => fault === undefined)) {
      this.#helper.updateState(State.CONNECTING, { pick: () => WAIT }, null);
    } else {
      const faults = lines.map(({ agentId, fault }) => `${agentId}: ${fault}`);
      const nobody = lines.length === 0 ? news.refusal : undefined;
      const status = nobody ?? statusOfUnreachable(news.text, faults);
      const picker = new experimental.UnavailablePicker(status);
      this.#helper.updateState(State.TRANSIENT_FAILURE, picker, status.details);
    }
  }

  #pick(route: Route, ready: readonly Line[], args: experimental.PickArgs) {
    const line = this.#toBeTried(route, ready) ?? this.#chosen(route, ready);
    const picked = line?.leaf.getPicker().pick(args);
    if (line === undefined || picked === undefined) return WAIT;
    if (picked.pickResultType !== experimental.PickResultType.COMPLETE) return picked;
    this.#picks += 1;
    line.lastPick = this.#picks;
    args.metadata.set("bourse-agent", line.agentId);
    return { ...picked, ...this.#watch(route, line, picked) };
  }

  /** Its turn would come, too, but perhaps never: a preference, and others, may stand before it. */
  #toBeTried({ desk, standings }: Route, ready: readonly Line[]): Line | undefined {
    const line = ready.find(({ onTrial }) => onTrial);
    if (line === undefined || line.underWay > 0 || desk.now() - line.triedMs < TRIAL_MS) return;
    if (!standings.admits(line.agentId, 0)) return;
    line.triedMs = desk.now();
    return line;
  }

  #chosen({ target, desk, standings }: Route, ready: readonly Line[]): Line | undefined {
    const sound = ready.filter(({ onTrial }) => !onTrial);
    const well = sound.filter(({ agentId, underWay }) => standings.admits(agentId, underWay));
    // When all of them failed of late, the failures tell nothing about whom to prefer.
    const among = well.length > 0 ? well : sound.length > 0 ? sound : ready;
    return choose(target.strategy, among, desk.random);
  }

  /** Counts the call while it is under way, and notes how it ended. */
  #watch(route: Route, line: Line, inner: experimental.PickResult) {
    let startMs = 0;
    const onCallStarted = (): void => {
      startMs = route.desk.now();
      line.underWay += 1;
      inner.onCallStarted?.();
    };
    const onCallEnded: OnCallEnded = (code, details, metadata) => {
      line.underWay -= 1;
      inner.onCallEnded?.(code, details, metadata);
      const verdict = verdictOf(code);
      if (verdict === undefined) return;
      route.note(line.agentId, { ...verdict, latencyMs: route.desk.now() - startMs });
    };
    return { onCallStarted, onCallEnded };
  }
}

const WAIT: experimental.PickResult = {
  pickResultType: experimental.PickResultType.QUEUE,
  subchannel: null,
  status: null,
  onCallStarted: null,
  onCallEnded: null,
};
