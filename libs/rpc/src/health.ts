import { EventEmitter, once } from "node:events";
import {
  Health,
  HealthCheckResponse_ServingStatus as Status,
} from "@bourse/proto/grpc/health/v1/health_pb.ts";
import { type Binding, bind } from "./binding.ts";
import { Rejection } from "./rejection.ts";

/** The health of a server: one state for all its services and for "", the server itself. */
export interface HealthState {
  readonly binding: Binding;
  set(serving: boolean): void;
}

/** Serves grpc.health.v1 for the named services and for "". */
export function createHealth(serviceNames: readonly string[], serving: boolean): HealthState {
  const known = new Set(["", Health.typeName, ...serviceNames]);
  const changes = new EventEmitter().setMaxListeners(0);
  let state = serving ? Status.SERVING : Status.NOT_SERVING;
  const binding = bind(Health, {
    check({ service }) {
      if (known.has(service)) return { status: state };
      throw new Rejection("SERVICE_UNKNOWN", `no service ${service} here`, {
        metadata: { service },
      });
    },
    list: () => ({
      statuses: Object.fromEntries([...known].map((name) => [name, { status: state }])),
    }),
    async *watch({ service }, { signal }) {
      let told: Status | undefined;
      while (!signal.aborted) {
        const status = known.has(service) ? state : Status.SERVICE_UNKNOWN;
        if (status !== told) {
          told = status;
          yield { status };
        } else {
          await once(changes, "change", { signal });
        }
      }
    },
  });
  return {
    binding,
    set(next) {
      state = next ? Status.SERVING : Status.NOT_SERVING;
      changes.emit("change");
    },
  };
}
