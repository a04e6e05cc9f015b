import type { Tx } from "./transaction.ts";

/**
 * Forgets the requests that an agent made, and those of others that name it: in their own id, or in their answer,
 * where a protobuf message writes an id behind its length. What else is forgotten by accident would be done anew if
 * its caller asked again.
 *
 * @param agentId 1 to 64 letters, digits, `_` and `-`
 */
export async function forgetRequestsOf(tx: Tx, agentId: string): Promise<void> {
  const id = Buffer.from(agentId);
  await tx.query(
    `delete from requests
     where principal = $1 or id ~ $2 or position($3::bytea in answer) > 0`,
    [
      `agent:${agentId}`,
      `(^|[^A-Za-z0-9])${agentId}($|[^A-Za-z0-9])`,
      Buffer.concat([Buffer.from([id.length]), id]),
    ],
  );
}
