import { type Binding, type Guard, Rejection } from "@bourse/rpc";

/** The methods of a service that listens before it is built. */
export interface Gate {
  /** Bindings that hand over to what `open` is given. */
  readonly bindings: readonly Binding[];
  /** The guard, which refuses every call with reason STARTING until the gate is open. */
  readonly guard: Guard;
  /** Lets calls through. Throws when the bindings are not those of the declared services. */
  open(built: readonly Binding[]): void;
}

/** The reason of calls that come before the service is built. */
export const STARTING = "STARTING";

/** Closes the methods of services until `open` is called. */
export function createGate(services: readonly DescService[], guard: Guard): Gate {
  const implementations = new Map<string, Readonly<Record<string, Handler | undefined>>>();
  let isOpen = false;

  function forward(method: DescMethod): Handler {
    return (...parameters) => {
      const implementation = implementations.get(method.parent.typeName);
      const handler = implementation?.[method.localName];
      if (handler !== undefined) return handler.apply(implementation, parameters);
      throw new Rejection("UNIMPLEMENTED", `${method.name} is not implemented`);
    };
  }

  return {
    bindings: services.map((desc) => ({
      desc,
      impl: Object.fromEntries(desc.methods.map((method) => [method.localName, forward(method)])),
    })),
    guard: {
      authenticate(method, headers) {
        // UNAVAILABLE, which clients try again, where an unknown method would be UNIMPLEMENTED.
        if (!isOpen)
          throw new Rejection(STARTING, "the service is starting", { retryAfterMs: 500 });
        return guard.authenticate(method, headers);
      },
      authorize: (method, principal, request) => guard.authorize(method, principal, request),
    },
    open(built) {
      const declared = services.map((desc) => desc.typeName).sort();
      const bound = built.map((binding) => binding.desc.typeName).sort();
      if (declared.join() !== bound.join()) {
        throw new Error(`services declares ${declared.join()} but build binds ${bound.join()}`);
      }
      for (const { desc, impl } of built) {
        implementations.set(desc.typeName, impl as Readonly<Record<string, Handler>>);
      }
      isOpen = true;
    },
  };
}

type Handler = (...parameters: unknown[]) => unknown;
type DescService = Binding["desc"];
type DescMethod = DescService["methods"][number];
