import type { DescMessage, MessageInitShape } from "@bufbuild/protobuf";
import type { Transport } from "@connectrpc/connect";

/**
 * Gives every unary request that can bear a `request_id` and has none a new one, so that a mutation which is tried
 * again underneath, after its answer was lost, happens once. Requests that name themselves stay as they are.
 */
export function withRequestIds(transport: Transport, newId: () => string): Transport {
  return {
    stream: transport.stream.bind(transport),
    unary(method, signal, timeoutMs, header, input, contextValues) {
      const named = nameRequest(method.input, input, newId);
      return transport.unary(method, signal, timeoutMs, header, named, contextValues);
    },
  };
}

function nameRequest<I extends DescMessage>(
  desc: I,
  input: MessageInitShape<I>,
  newId: () => string,
): MessageInitShape<I> {
  if (desc.fields.every((field) => field.name !== "request_id")) return input;
  const { requestId } = input as { readonly requestId?: string };
  return requestId === undefined || requestId === "" ? { ...input, requestId: newId() } : input;
}
