import type { Row } from "./world.ts";

const DENIED = { code: "PermissionDenied", reason: "PERMISSION_DENIED" } as const;

/** What the statements of the books must refuse. */
export const statementRows: readonly Row[] = [
  {
    title: "exporting the history of another",
    call: ({ rival, buyer }) => drained(rival.ledger.exportHistory({ agentId: buyer.id })),
    ...DENIED,
  },
  {
    title: "exporting all history as an agent",
    call: ({ rival }) => drained(rival.ledger.exportHistory({})),
    ...DENIED,
  },
  {
    title: "exporting from where no export ever was",
    call: ({ operator }) => drained(operator.ledger.exportHistory({ resumeToken: "AAAA" })),
    code: "InvalidArgument",
    reason: "INVALID_RESUME_TOKEN",
    field: "resume_token",
  },
];

async function drained(stream: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of stream);
}
