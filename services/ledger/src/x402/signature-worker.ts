import { signerOf } from "./signature.ts";

/** A signature to check, as it is handed to a worker thread. */
export interface SignatureTask {
  readonly digest: Uint8Array;
  /** 0x and 130 hex digits. */
  readonly signature: string;
}

/** The address that signed, or undefined; see `signerOf`. */
export function recoverSigner({ digest, signature }: SignatureTask): string | undefined {
  return signerOf(digest, Buffer.from(signature.slice(2), "hex"));
}
