import type { DescMethod } from "@bufbuild/protobuf";

/** One finished call, as logs and metrics want it. */
export interface FinishedCall {
  /**
   * `bourse.ledger.v1.LedgerService/GetBalances`; of a method that the server does not have, with the
   * code "unimplemented", what the caller wrote, as far as 200 characters.
   */
  readonly method: string;
  readonly kind: DescMethod["methodKind"];
  /** "ok", "not_found", ... */
  readonly code: string;
  /** UPPER_SNAKE; "" when ok. */
  readonly reason: string;
  readonly durationMs: number;
  /** As `formatPrincipal` writes it. */
  readonly principal: string;
  readonly requestId: string;
  readonly traceId: string;
  /** Only when the code is "internal": what was thrown. The caller is not told. */
  readonly error?: unknown;
}
