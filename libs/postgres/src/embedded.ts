/** A Postgres server that this process started and owns. */
export interface EmbeddedPostgres extends AsyncDisposable {
  readonly url: string;
  stop(): Promise<void>;
}

/** Not there yet. */
export async function startEmbedded(_options: {
  readonly dataDirectory: string;
  readonly port?: number;
  readonly durable?: boolean;
}): Promise<EmbeddedPostgres> {
  throw new Error("not there yet");
}

/** Not there yet. */
export async function removeEmbedded(_dataDirectory: string): Promise<void> {}
