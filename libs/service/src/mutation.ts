import { createHash } from "node:crypto";
import { type MutationRequest, once, type Tx } from "@bourse/postgres";
import { formatPrincipal, principalKey } from "@bourse/rpc";
import {
  create,
  type DescMessage,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from "@bufbuild/protobuf";
import type { HandlerContext } from "@connectrpc/connect";

/** A request that names itself, as every mutation's does. */
type Named<I extends DescMessage> = MessageShape<I> & { readonly requestId: string };

/**
 * Does a mutation once: the same caller, method, request_id and content get the first answer again. The memory is
 * written in the mutation's own transaction. An empty request_id asks for no memory.
 * @throws Rejection REQUEST_ID_REUSED when the id came before with another method or other content
 */
export async function answerOnce<I extends DescMessage, O extends DescMessage>(
  tx: Tx,
  ctx: HandlerContext,
  schemas: { readonly input: I; readonly output: O },
  request: Named<I>,
  work: () => Promise<MessageInitShape<O>>,
): Promise<MessageShape<O>> {
  const content = () => contentOf(schemas.input, request);
  const answer = await answerOnceEncoded(tx, ctx, { id: request.requestId, content }, async () =>
    toBinary(schemas.output, create(schemas.output, await work())),
  );
  return fromBinary(schemas.output, answer);
}

/**
 * The same for an answer that is made in its binary form, and for content in any form that differs whenever what is
 * asked for does.
 */
export async function answerOnceEncoded(
  tx: Tx,
  ctx: HandlerContext,
  request: { readonly id: string; readonly content: () => Uint8Array },
  work: () => Promise<Uint8Array>,
): Promise<Uint8Array> {
  const named = mutationRequest(ctx, request);
  return named === undefined ? work() : once(tx, named, work);
}

/** How a caller named a mutation; undefined when it asks for no memory. `content` as for answerOnceEncoded. */
export function mutationRequest(
  ctx: Pick<HandlerContext, "values" | "service" | "method">,
  { id, content }: { readonly id: string; readonly content: () => Uint8Array },
): MutationRequest | undefined {
  if (id === "") return undefined;
  return {
    principal: formatPrincipal(ctx.values.get(principalKey)),
    id,
    method: `${ctx.service.typeName}/${ctx.method.name}`,
    fingerprint: createHash("sha256").update(content()).digest(),
  };
}

/** What a request asks for, whatever its id. */
export function contentOf<I extends DescMessage>(schema: I, request: Named<I>): Uint8Array {
  return toBinary(schema, { ...request, requestId: "" });
}
