import { Rejection } from "./rejection.ts";

const RETRY_MS = 200;

/**
 * The bytes of requests that have begun to come in and are not whole yet, of all calls together:
 * each may be as large as a message, and there may be thousands.
 */
export class Intake {
  readonly #maxBytes: number;
  #bytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** The part of one call, which has nothing yet. */
  share(): IntakeShare {
    let held = 0;
    return {
      hold: (bytes) => {
        if (bytes > held && this.#bytes + bytes - held > this.#maxBytes) {
          throw new Rejection("SERVER_BUSY", "too many requests are coming in at once", {
            retryAfterMs: RETRY_MS,
          });
        }
        this.#bytes += bytes - held;
        held = bytes;
      },
    };
  }
}

/** What one call has of the intake. */
export interface IntakeShare {
  /** Says how much that is from now on; 0 gives all back. Throws Rejection SERVER_BUSY without room for more. */
  hold(bytes: number): void;
}
