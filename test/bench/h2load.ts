import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { framed } from "@bourse/rpc/bench";
import { BenchFailure } from "./failure.ts";

/** A load of gRPC calls that are answered as fast as they can be. */
export interface Load {
  /** Such as `127.0.0.1:7404`. */
  readonly address: string;
  /** Such as `/bourse.discovery.v1.DiscoveryService/SelectAgent`. */
  readonly path: string;
  /** The messages; each is sent over and over by a program of its own, all at the same time. */
  readonly messages: readonly Uint8Array[];
  readonly token?: string | undefined;
  /** Over all programs; rounded up so that each has one. */
  readonly connections: number;
  /** Calls under way on each connection. */
  readonly streams: number;
  readonly seconds: number;
  readonly signal: AbortSignal;
}

/** How a load went. */
export interface LoadMeasure {
  /** Answers in the time that was measured. */
  readonly calls: number;
  readonly perSecond: number;
  /** How long each of them took, in milliseconds. */
  readonly tookMs: readonly number[];
}

/** What h2load tells of its own run. */
export interface H2loadReport {
  readonly calls: number;
  readonly perSecond: number;
}

/** Of the time that is measured, before it begins: connections are made, code is compiled. */
const WARM_UP_SHARE = 0.2;
const WARM_UP_MIN_MS = 500;
/** How long h2load may take beside its measurement. */
const MARGIN_S = 30;
const OUTPUT_MAX = 16 * 1024 * 1024;

/**
 * Puts the load on a server. What is answered is HTTP to h2load: whether the gRPC calls succeeded must
 * be asked of the server.
 * @throws BenchFailure when a call failed, or none was answered in time
 */
export async function runLoad(load: Load): Promise<LoadMeasure> {
  const folder = await mkdtemp(join(tmpdir(), "bourse-h2load-"));
  try {
    const runs = await Promise.all(
      load.messages.map((message, nth) => runOne(load, message, join(folder, `${nth}`))),
    );
    const calls = runs.reduce((sum, each) => sum + each.calls, 0);
    if (calls === 0) throw new BenchFailure(`${load.path}: no answer in time; try more --seconds`);
    return {
      calls,
      perSecond: runs.reduce((sum, { perSecond }) => sum + perSecond, 0),
      tookMs: runs.flatMap(({ tookMs }) => tookMs),
    };
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** How long a load of so many seconds goes on before it is measured. */
export function warmUpMsOf(seconds: number): number {
  return Math.max(WARM_UP_MIN_MS, Math.round(seconds * WARM_UP_SHARE * 1_000));
}

async function runOne(load: Load, message: Uint8Array, file: string) {
  const { messages, seconds, signal } = load;
  const body = `${file}.body`;
  const log = `${file}.log`;
  await writeFile(body, framed(message));
  const connections = Math.ceil(load.connections / messages.length);
  const warmUpMs = warmUpMsOf(seconds);
  const headers = ["content-type: application/grpc", "te: trailers"];
  if (load.token !== undefined) headers.push(`authorization: Bearer ${load.token}`);
  const flags = [
    ...["-c", `${connections}`, "-m", `${load.streams}`],
    ...["-D", `${Math.round(seconds * 1_000)}ms`, `--warm-up-time=${warmUpMs}ms`],
    ...["-d", body, `--log-file=${log}`],
    ...headers.flatMap((header) => ["-H", header]),
  ];
  const timeout = (seconds + MARGIN_S) * 1_000;
  const { stdout } = await promisify(execFile)(
    "h2load",
    [...flags, `http://${load.address}${load.path}`],
    { signal, timeout, maxBuffer: OUTPUT_MAX },
  );
  return { ...readH2load(stdout), tookMs: readLog(await readFile(log, "latin1")) };
}

/**
 * Reads what h2load prints at its end.
 * @throws BenchFailure when that is not a whole report, or tells of calls without an answer
 */
export function readH2load(output: string): H2loadReport {
  const number = (pattern: RegExp): number => {
    const text = pattern.exec(output)?.[1];
    if (text === undefined) throw new BenchFailure(`h2load said something else:\n${output}`);
    return Number(text);
  };
  const bad =
    number(/^requests: .* (\d+) failed/m) +
    number(/^requests: .* (\d+) timeout/m) +
    number(/^status codes: .* (\d+) 4xx/m) +
    number(/^status codes: .* (\d+) 5xx/m);
  const calls = number(/^requests: .* (\d+) succeeded/m);
  if (bad > 0) throw new BenchFailure(`h2load: ${bad} calls got no answer:\n${output}`);
  return { calls, perSecond: number(/^finished in .*, ([\d.]+) req\/s/m) };
}

/** How long each request took, in milliseconds: the third column of h2load's log, which has microseconds. */
export function readLog(log: string): number[] {
  return log
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => Number(line.slice(line.lastIndexOf("\t") + 1)) / 1_000);
}

/**
 * What `h2load --version` says.
 * @throws BenchFailure that tells how to get it
 */
export async function h2loadVersion(): Promise<string> {
  try {
    return (await promisify(execFile)("h2load", ["--version"])).stdout.trim();
  } catch {
    throw new BenchFailure(
      "no h2load, which puts the load on discovery: apt-get install nghttp2-client (Debian), " +
        "brew install nghttp2 (macOS)",
    );
  }
}
