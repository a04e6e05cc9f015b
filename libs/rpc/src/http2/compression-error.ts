/** A header block that cannot be read; with it the connection's tables are lost. */
export class CompressionError extends Error {
  override readonly name = "CompressionError";
}
