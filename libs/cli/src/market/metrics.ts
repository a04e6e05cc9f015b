/** What a service's metrics say to somebody who asks for its status. */
export interface StatusMetrics {
  readonly version: string;
  /** Figures by what they count, such as `agents`. */
  readonly counts: Readonly<Record<string, number>>;
}

/** One line of the Prometheus text format. */
export interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** Metrics worth a word in a status, with that word; a label in braces is filled in. */
const WORDS: Readonly<Record<string, string>> = {
  marketplace_agents_registered: "agents",
  marketplace_agents_online: "agents online",
  marketplace_breakers: "breakers {state}",
  marketplace_tasks_live: "tasks {state}",
  marketplace_open_holds: "open holds",
  marketplace_open_disputes: "open disputes",
  marketplace_discovery_agents: "agents known",
  marketplace_outbox_messages: "follow-ups {state}",
};

/** Reads a service's metrics; empty when it does not answer. */
export async function readMetrics(address: string): Promise<StatusMetrics> {
  try {
    return summarise(await readSamples(address));
  } catch {
    return { version: "?", counts: {} };
  }
}

/** Reads every series of a process's metrics. @throws when it does not answer in time */
export async function readSamples(address: string, timeoutMs = 2_000): Promise<readonly Sample[]> {
  const signal = AbortSignal.timeout(timeoutMs);
  const response = await fetch(`http://${address}/metrics`, { signal });
  return parseSamples(await response.text());
}

function summarise(samples: readonly Sample[]): StatusMetrics {
  const counts: Record<string, number> = {};
  for (const { name, labels, value } of samples) {
    const words = WORDS[name]?.replace(/\{(\w+)\}/, (_match, label) => labels[label] ?? "");
    if (words !== undefined) counts[words] = (counts[words] ?? 0) + value;
  }
  const build = samples.find(({ name }) => name === "bourse_build_info");
  return { version: build?.labels["version"] ?? "?", counts };
}

function parseSamples(text: string): readonly Sample[] {
  return text.split("\n").flatMap((line) => {
    const match = /^([a-z_]+)(?:\{(.*)\})? (\S+)/.exec(line);
    if (match === null) return [];
    const [, name = "", labelText = "", value] = match;
    const pairs = [...labelText.matchAll(/(\w+)="([^"]*)"/g)];
    const labels = Object.fromEntries(pairs.map(([, key = "", of = ""]) => [key, of]));
    return [{ name, labels, value: Number(value) }];
  });
}
