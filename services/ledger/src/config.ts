import {
  type ConfigOf,
  commonVariables,
  duration,
  listenAddress,
  postgresUrl,
  wholeNumber,
} from "@bourse/service";
import { z } from "zod";
import { WINDOWS, type Windows } from "./windows.ts";
import { railsVariable } from "./x402/config.ts";

const window = duration({ min: "1s", max: "366d" });

/** The environment variables of the ledger. */
export const variables = {
  ...commonVariables,
  BOURSE_LISTEN: listenAddress.default("0.0.0.0:7403").describe("host:port of the gRPC server"),
  DATABASE_URL: postgresUrl.describe("Postgres that holds the books, in the schema ledger"),
  BOURSE_LEDGER_BATCH_MAX: wholeNumber({ min: 1, max: 10_000 })
    .default(1_000)
    .describe("most commands that one database transaction bears; a larger call goes alone"),
  BOURSE_LEDGER_LANES: wholeNumber({ min: 1, max: 8 })
    .default(2)
    .describe("how many batches may be under way at once"),
  BOURSE_LEDGER_QUEUE_MAX: wholeNumber({ min: 1, max: 1_000_000 })
    .default(20_000)
    .describe("most commands that wait for their batch; beyond it callers are told to come back"),
  BOURSE_LEDGER_HOLD_TIMEOUT: window
    .default(WINDOWS.holdMs)
    .describe("how long money is held when nothing is delivered and nothing was agreed"),
  BOURSE_LEDGER_REVIEW_WINDOW: window
    .default(WINDOWS.reviewMs)
    .describe("how long a payer may be silent after delivery when nothing was agreed"),
  BOURSE_LEDGER_EVIDENCE_WINDOW: window
    .default(WINDOWS.evidenceMs)
    .describe("how long both sides of a dispute may bring evidence when nothing was agreed"),
  BOURSE_LEDGER_RULING_WINDOW: window
    .default(WINDOWS.rulingMs)
    .describe("how long a ruling may take after that when nothing was agreed"),
  BOURSE_LEDGER_DISPUTE_WINDOW: window
    .default(WINDOWS.disputeMs)
    .describe("how long after its settlement a transaction can be disputed, but by operators"),
  BOURSE_LEDGER_CHECKPOINT_MS: wholeNumber({ min: 100, max: 86_400_000 })
    .default(60_000)
    .describe("how often a checkpoint of the log is taken, in milliseconds"),
  BOURSE_LEDGER_CONTROLLER: z
    .string()
    .max(1_000)
    .default("")
    .describe("who answers for the processing of personal data, with contacts, for reports"),
  BOURSE_X402_LISTEN: listenAddress
    .optional()
    .describe("host:port of the x402 facilitator over HTTP; unset means no such port"),
  BOURSE_X402_RAILS: railsVariable.describe(
    "rails of x402 payments: a JSON array, or the path of a file with one",
  ),
  BOURSE_X402_THREADS: wholeNumber({ min: 1, max: 64 })
    .default(1)
    .describe("threads that check the signatures of x402 payments"),
} as const;

/** The limits of the queue in front of the books. */
export function limitsOf(config: ConfigOf<typeof variables>) {
  return {
    batchMax: config.BOURSE_LEDGER_BATCH_MAX,
    queueMax: config.BOURSE_LEDGER_QUEUE_MAX,
    lanes: config.BOURSE_LEDGER_LANES,
  };
}

/** How long steps last where nothing was agreed, as configured. */
export function windowsOf(config: ConfigOf<typeof variables>): Windows {
  return {
    holdMs: config.BOURSE_LEDGER_HOLD_TIMEOUT,
    reviewMs: config.BOURSE_LEDGER_REVIEW_WINDOW,
    evidenceMs: config.BOURSE_LEDGER_EVIDENCE_WINDOW,
    rulingMs: config.BOURSE_LEDGER_RULING_WINDOW,
    disputeMs: config.BOURSE_LEDGER_DISPUTE_WINDOW,
  };
}
