/** A field of a request that broke a rule. */
export interface Fault {
  /** Path of the field by its proto names, such as `bid.price` or `bids[2].agent_id`. */
  readonly field: string;
  /** UPPER_SNAKE name of the broken rule. */
  readonly reason: string;
  /** One sentence for people. */
  readonly description: string;
}

/** What a rejection may carry beside its reason and its sentence. */
export interface RejectionOptions {
  /** The values that a caller needs to act on the reason; keys are lowerCamel or lower_snake. */
  readonly metadata?: Readonly<Record<string, string>>;
  /** Every field at fault. */
  readonly faults?: readonly Fault[];
  /** Milliseconds after which the same call may succeed. */
  readonly retryAfterMs?: number;
}

/**
 * A refusal by rule, never a bug: callers switch on `reason` (UPPER_SNAKE), people read `message`.
 */
export class Rejection extends Error {
  override readonly name = "Rejection";
  readonly reason: string;
  readonly metadata: Readonly<Record<string, string>>;
  readonly faults: readonly Fault[];
  readonly retryAfterMs: number | undefined;

  constructor(reason: string, message: string, options: RejectionOptions = {}) {
    super(message);
    this.reason = reason;
    this.metadata = options.metadata ?? {};
    this.faults = options.faults ?? [];
    this.retryAfterMs = options.retryAfterMs;
  }
}
