import { Rejection } from "./rejection.ts";

const RETRY_MS = 200;
/** How often, in the time that a message may take, those are looked for that take longer. */
const LOOKS = 8;

/** What all calls of a server may take of it before their requests are whole. */
export interface IntakeLimits {
  readonly maxBytes: number;
  /** Milliseconds that a message may take to come in, from its first bytes on; up to an eighth more. */
  readonly stallMs: number;
}

/**
 * The bytes of requests that have begun to come in and are not whole yet, of all calls together:
 * each may be as large as a message, and there may be thousands.
 */
export class Intake {
  readonly #limits: IntakeLimits;
  #bytes = 0;
  /**
   * How often those that hold something were looked at: one timer for all, since nearly every call is one of
   * them for a moment. A process that was stopped for a while has not looked, so nobody was slow meanwhile.
   */
  readonly #holders = new Map<IntakeShare, number>();
  #looking = false;

  constructor(limits: IntakeLimits) {
    this.#limits = limits;
  }

  /** The part of one call, which has nothing yet. `onStalled` is told when it has held something for too long. */
  share(onStalled: () => void): IntakeShare {
    let held = 0;
    const share: IntakeShare = {
      onStalled,
      hold: (bytes) => {
        if (bytes === held) return;
        if (bytes > held && this.#bytes + bytes - held > this.#limits.maxBytes) {
          throw new Rejection("SERVER_BUSY", "too many requests are coming in at once", {
            retryAfterMs: RETRY_MS,
          });
        }
        if (held === 0) this.#watch(share);
        this.#bytes += bytes - held;
        held = bytes;
        if (held === 0) this.#holders.delete(share);
      },
    };
    return share;
  }

  #watch(share: IntakeShare): void {
    this.#holders.set(share, 0);
    if (this.#looking) return;
    this.#looking = true;
    this.#lookLater();
  }

  #lookLater(): void {
    setTimeout(() => this.#look(), this.#limits.stallMs / LOOKS).unref();
  }

  #look(): void {
    for (const [share, looks] of this.#holders) {
      if (looks < LOOKS) {
        this.#holders.set(share, looks + 1);
      } else {
        this.#holders.delete(share);
        share.onStalled();
      }
    }
    this.#looking = this.#holders.size > 0;
    if (this.#looking) this.#lookLater();
  }
}

/** What one call has of the intake. */
export interface IntakeShare {
  readonly onStalled: () => void;
  /** Says how much that is from now on; 0 gives all back. Throws Rejection SERVER_BUSY without room for more. */
  hold(bytes: number): void;
}
