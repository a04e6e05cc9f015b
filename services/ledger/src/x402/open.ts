import type { ConfigOf, ServiceContext } from "@bourse/service";
import type { variables } from "../config.ts";
import { createFacilitator } from "./facilitator.ts";
import { type FinishedRequest, serveFacilitator } from "./http.ts";
import type { PaymentStore, Submit } from "./payments.ts";
import { createSignatures } from "./signatures.ts";

/** Payments that may wait for a thread to check their signature. */
const WAITING_MAX = 1_000;

/**
 * Opens the facilitator's port when BOURSE_X402_LISTEN is set. It is closed before what was
 * deferred earlier, so that its payments still find the queue.
 */
export async function openFacilitator(
  context: Pick<ServiceContext, "logger" | "metrics" | "now" | "defer">,
  config: ConfigOf<typeof variables>,
  books: { readonly payments: PaymentStore; readonly submit: Submit },
): Promise<void> {
  const { logger, metrics, now, defer } = context;
  const listen = config.BOURSE_X402_LISTEN;
  if (listen === undefined) return;
  const signatures = defer(
    createSignatures({ threads: config.BOURSE_X402_THREADS, waitingMax: WAITING_MAX }),
  );
  const facilitator = createFacilitator({
    rails: config.BOURSE_X402_RAILS,
    signatures,
    submit: books.submit,
    store: books.payments,
    now,
  });
  const onFinished = observed(logger, metrics);
  const port = defer(await serveFacilitator({ listen, facilitator, onFinished }));
  logger.info({ event: "x402", address: port.address }, `x402 is served on ${port.address}`);
}

/** Counts requests and writes a line for each, without what they bore. */
function observed(
  logger: ServiceContext["logger"],
  metrics: ServiceContext["metrics"],
): (request: FinishedRequest) => void {
  const requests = metrics.counter(
    "ledger_x402_requests_total",
    "Requests to the facilitator by what was answered",
    ["operation", "outcome"],
  );
  const seconds = metrics.histogram(
    "ledger_x402_request_duration_seconds",
    "Time that the facilitator took to answer",
    { labels: ["operation"] },
  );
  return ({ operation, status, outcome, durationMs, error }) => {
    requests.inc({ operation, outcome });
    seconds.observe({ operation }, durationMs / 1_000);
    const fields = {
      event: "x402_request",
      operation,
      status,
      outcome,
      ms: Math.round(durationMs),
    };
    const text = `x402 ${operation} ${status} ${outcome}`;
    if (error === undefined) logger.info(fields, text);
    else logger.error({ ...fields, err: error }, text);
  };
}
