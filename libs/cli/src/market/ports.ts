import { close, freePorts, listen } from "@bourse/rpc/free-ports";
import { Failure } from "../failure.ts";

/** The services of a market, in the order in which they are shown and numbered. */
export const SERVICE_NAMES = ["registry", "auction", "ledger", "discovery"] as const;
export type ServiceName = (typeof SERVICE_NAMES)[number];

/** Where a service listens, on 127.0.0.1. */
export interface ServicePorts {
  readonly rpc: number;
  readonly metrics: number;
}

export type Ports = Readonly<Record<ServiceName, ServicePorts>>;

const FIRST_PORT = 7401;
const METRICS_OFFSET = 2000;

/**
 * Reads `--ports`: a first port N (the services take N to N+3, their metrics N+2000 to N+2003), or
 * `auto` for free ones. Absent: 7401.
 * @throws Failure when it is neither
 */
export async function choosePorts(option: string | undefined): Promise<Ports> {
  if (option === "auto") return anyPorts();
  const first = option === undefined ? FIRST_PORT : Number(option);
  const last = 65_535 - METRICS_OFFSET - SERVICE_NAMES.length + 1;
  if (!Number.isInteger(first) || first < 1024 || first > last) {
    throw new Failure(`--ports takes a first port from 1024 to ${last}, or auto; got ${option}`);
  }
  return asPorts((index) => ({ rpc: first + index, metrics: first + METRICS_OFFSET + index }));
}

/** @throws Failure naming every port that is taken */
export async function requireFree(ports: Ports): Promise<void> {
  const taken: string[] = [];
  for (const name of SERVICE_NAMES) {
    for (const port of [ports[name].rpc, ports[name].metrics]) {
      if (!(await isFree(port))) taken.push(`${port} (${name})`);
    }
  }
  if (taken.length > 0) {
    throw new Failure(
      `ports taken on 127.0.0.1: ${taken.join(", ")}. ` +
        "Stop what listens there, or choose others with --ports N or --ports auto",
    );
  }
}

async function anyPorts(): Promise<Ports> {
  const numbers = await freePorts(SERVICE_NAMES.length * 2);
  return asPorts((index) => ({
    rpc: numbers[index * 2] as number,
    metrics: numbers[index * 2 + 1] as number,
  }));
}

function asPorts(of: (index: number) => ServicePorts): Ports {
  const entries = SERVICE_NAMES.map((name, index) => [name, of(index)] as const);
  return Object.fromEntries(entries) as Record<ServiceName, ServicePorts>;
}

async function isFree(port: number): Promise<boolean> {
  try {
    await close(await listen(port));
    return true;
  } catch {
    return false;
  }
}
