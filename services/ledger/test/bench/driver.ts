import { createInterface } from "node:readline";
import { reasonOf } from "@bourse/rpc";
import { type Books, openBooks } from "./books.ts";
import { closedLoop, type Deed, type Measure, openLoop } from "./load.ts";
import { openRemote, type Remote } from "./remote.ts";

// Puts load on a ledger, as `./bourse bench ledger` asks: a program of its own, so that what
// measures and what is measured do not share a process with anything else. It reads one JSON
// request per line, does it, and writes one JSON answer per line; it ends with its input.
//
//   node driver.ts books <database url>
//   node driver.ts remote <address>          with the token in BOURSE_TOKEN

/** What is asked of it. */
type Request =
  | {
      readonly ask: "closed" | "open";
      readonly accounts: number;
      readonly hot: boolean;
      readonly seconds: number;
      /** Of a closed loop. */
      readonly callers?: number;
      readonly deedsMax?: number;
      /** How many trades one call bears, where it can bear many. */
      readonly parcel?: number;
      /** Arrivals of an open loop. */
      readonly perSecond?: number;
    }
  | { readonly ask: "fund"; readonly accounts: number }
  | { readonly ask: "verify" };

const FUNDERS = 2_000;
const HOUR_S = 3_600;

const [kind, place = ""] = process.argv.slice(2);
const token = process.env["BOURSE_TOKEN"] ?? "";
const now = () => performance.now();

if (kind === "books") {
  await using books = await openBooks(place);
  await serve((request) => onBooks(books, request));
} else {
  using remote = openRemote(place, token);
  await serve((request) => onRemote(remote, request));
}

function onBooks(books: Books, request: Request): Promise<unknown> {
  if (request.ask === "verify") return books.verify();
  if (request.ask === "fund") return fund(books, request);
  return load(books.lifecycle(request, request.parcel), request);
}

async function onRemote(remote: Remote, request: Request): Promise<unknown> {
  if (request.ask === "closed" || request.ask === "open") {
    const { parcel } = request;
    const one = parcel === undefined;
    return load(one ? remote.lifecycle(request) : remote.lifecycleMany(request, parcel), request);
  }
  throw new Error(`a ledger behind gRPC does not ${request.ask}`);
}

function load(deed: Deed, request: Request & { ask: "closed" | "open" }): Promise<Measure> {
  const { seconds, callers = 1, perSecond = 0 } = request;
  if (request.ask === "open") {
    return openLoop({
      deed,
      seconds,
      perSecond,
      now,
      reasonOf: (error) => reasonOf(error) ?? String(error),
      later: (then) => void setTimeout(then, 1),
    });
  }
  return closedLoop({ deed, seconds, callers, deedsMax: request.deedsMax, now });
}

function fund(books: Books, { accounts }: Request & { ask: "fund" }): Promise<Measure> {
  return closedLoop({
    deed: books.deposit(),
    seconds: HOUR_S,
    callers: Math.min(FUNDERS, accounts),
    deedsMax: accounts,
    now,
  });
}

async function serve(answer: (request: Request) => Promise<unknown>): Promise<void> {
  for await (const line of createInterface({ input: process.stdin })) {
    let said: unknown;
    try {
      said = await answer(JSON.parse(line));
    } catch (error) {
      said = { error: error instanceof Error ? (error.stack ?? error.message) : String(error) };
    }
    process.stdout.write(`${JSON.stringify(said)}\n`);
  }
}
