/** Something that the person at the keyboard can act on: printed as one sentence, without a stack. */
export class Failure extends Error {
  override readonly name = "Failure";
}

/** The message of anything thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
