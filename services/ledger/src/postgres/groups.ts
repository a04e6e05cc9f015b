import type { Tx } from "@bourse/postgres";
import { addRecorder } from "../books.ts";
import type { Terms } from "../transaction.ts";
import { arrays, type Columns } from "./rows.ts";

/** A group, and who records into it. */
export type GroupRecorder = Pick<Terms, "groupId" | "recorder">;

/** How groups that are recorded into are sent. */
export const GROUP_COLUMNS: Columns<GroupRecorder> = {
  group_id: { type: "uuid", of: ({ groupId }) => groupId },
  recorder: { type: "text", of: ({ recorder }) => recorder },
};

/** The groups that these are recorded into, each once for each recorder. */
export function groupsOf(recorded: readonly Terms[]): readonly GroupRecorder[] {
  const grouped = recorded.filter(({ groupId }) => groupId !== undefined);
  return [
    ...new Map(grouped.map((terms) => [`${terms.groupId} ${terms.recorder}`, terms])).values(),
  ];
}

/** Who else has recorded into these groups than who does so now; groups of nobody else are missing. */
export async function findOtherRecorders(
  tx: Tx,
  recorded: readonly Terms[],
): Promise<ReadonlyMap<string, ReadonlySet<string>>> {
  const groups = groupsOf(recorded);
  if (groups.length === 0) return new Map();
  const { rows } = await tx.query<{ readonly group_id: string; readonly recorder: string }>({
    name: "other recorders",
    text: `select group_id, recorder from other_recorders($1::uuid[], $2::text[])`,
    values: arrays(GROUP_COLUMNS, groups),
  });
  const recorders = new Map<string, Set<string>>();
  for (const { group_id: groupId, recorder } of rows) addRecorder(recorders, { groupId, recorder });
  return recorders;
}
