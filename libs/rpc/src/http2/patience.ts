import { Allowance } from "./allowance.ts";
import { ConnectionError, ERROR } from "./frames.ts";
import { STREAMS_MAX } from "./settings.ts";

/** Frames that bring nothing: so many at once, and so many per second. */
const VAIN_FRAMES = [10_000, 1_000] as const;
/** Settings change the windows of all streams; clients that measure their link send some in a second. */
const SETTINGS = [100, 10] as const;
/** As many calls may be taken back as may be under way, and then some per second. */
const RESETS = [STREAMS_MAX, STREAMS_MAX / 100] as const;
/** Streams that we have reset and for which frames may still be under way. */
const REMEMBERED_MAX = 1_000;

/** What a peer may do that costs us more than it (RFC 9113, section 10.5). Throws ConnectionError beyond that. */
export class Patience {
  readonly #resets = new Allowance(...RESETS);
  readonly #vain = new Allowance(...VAIN_FRAMES);
  readonly #settings = new Allowance(...SETTINGS);
  #reset: Set<number> | undefined;

  /** A frame that brings nothing. */
  vainFrame(): void {
    if (!this.#vain.take()) throw new ConnectionError(ERROR.enhanceYourCalm, "frames for nothing");
  }

  changedSettings(): void {
    if (!this.#settings.take())
      throw new ConnectionError(ERROR.enhanceYourCalm, "too many settings");
  }

  /**
   * A stream that the peer takes back, or that breaks the rules: begun and over at once, it costs work that
   * no limit of streams bounds (CVE-2023-44487, CVE-2025-8671).
   */
  lostStream(): void {
    if (!this.#resets.take()) throw new ConnectionError(ERROR.enhanceYourCalm, "too many resets");
  }

  /** A stream that we have reset, which the peer does not know yet. */
  remember(stream: number): void {
    this.#reset ??= new Set();
    this.#reset.add(stream);
    if (this.#reset.size <= REMEMBERED_MAX) return;
    for (const oldest of this.#reset) {
      this.#reset.delete(oldest);
      break;
    }
  }

  /** Whether it is one of the last that we have reset. */
  remembers(stream: number): boolean {
    return this.#reset?.has(stream) ?? false;
  }
}
