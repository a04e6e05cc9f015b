import type { IncomingCall } from "./call.ts";
import type { Codes } from "./code.ts";
import type { FinishedCall } from "./finished-call.ts";
import { Intake } from "./intake.ts";
import type { ServeOptions } from "./server.ts";
import { Slots } from "./slots.ts";

/** What all calls of a server share. */
export interface Desk {
  readonly domain: string;
  readonly codes: Codes;
  readonly maxMessageBytes: number;
  readonly intake: Intake;
  readonly onFinished: (call: FinishedCall) => void;
  /** Is given what a handler throws after its call was answered. */
  readonly onError: (error: unknown) => void;
  /** Never throws. */
  readonly interpret: (thrown: unknown) => unknown;
  /** The calls in flight. */
  readonly calls: Slots<IncomingCall>;
}

const DEFAULT_MESSAGE_BYTES = 4 * 1024 * 1024;
const DEFAULT_STALL_MS = 30_000;
const DEFAULT_INTAKE_BYTES = 256 * 1024 * 1024;

/** What the calls of a server with these options share. */
export function createDesk(options: ServeOptions): Desk {
  const onError = options.onError ?? (() => {});
  return {
    domain: options.domain,
    codes: options.codes,
    maxMessageBytes: options.maxMessageBytes ?? DEFAULT_MESSAGE_BYTES,
    intake: new Intake({
      maxBytes: options.maxIntakeBytes ?? DEFAULT_INTAKE_BYTES,
      stallMs: options.stallMs ?? DEFAULT_STALL_MS,
    }),
    onError,
    interpret: (thrown) => {
      try {
        return options.interpret === undefined ? thrown : options.interpret(thrown);
      } catch (error) {
        return error;
      }
    },
    onFinished: (call) => {
      try {
        options.onFinished?.(call);
      } catch (error) {
        onError(error);
      }
    },
    calls: new Slots(),
  };
}
