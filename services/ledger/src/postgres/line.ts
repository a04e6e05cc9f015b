import { isOutage, type Pool, type PoolClient, type Tx } from "@bourse/postgres";

/** Sends statements one behind the other over one connection, for as long as there are any. */
export function createLine(pool: Pool) {
  let lent: Lent | undefined;
  return {
    async send<T>(work: (tx: Tx) => Promise<T>): Promise<T> {
      lent ??= { client: connect(pool), users: 0, broken: undefined };
      const mine = lent;
      mine.users += 1;
      try {
        return await work(await mine.client);
      } catch (error) {
        if (isOutage(error)) mine.broken = error as Error;
        throw error;
      } finally {
        mine.users -= 1;
        if (mine === lent && (mine.users === 0 || mine.broken !== undefined)) lent = undefined;
        if (mine.users === 0) await giveBack(mine);
      }
    },
  };
}

interface Lent {
  readonly client: Promise<PoolClient>;
  users: number;
  broken: Error | undefined;
}

async function connect(pool: Pool): Promise<PoolClient> {
  const client = await pool.connect();
  // A connection that is lost emits this too, beside failing its statements.
  client.on("error", ignore);
  return client;
}

function ignore(): void {}

async function giveBack({ client, broken }: Lent): Promise<void> {
  try {
    const lent = await client;
    lent.off("error", ignore);
    lent.release(broken);
  } catch {
    // There was no connection: whoever asked for it was told.
  }
}
