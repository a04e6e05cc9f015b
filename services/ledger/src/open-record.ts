import type { ConfigOf, ServiceContext } from "@bourse/service";
import { keepCheckpoints } from "./checkpoints.ts";
import type { variables } from "./config.ts";
import type { LineageOptions } from "./lineage-service.ts";
import { noteWriter } from "./note.ts";
import { createLogStore } from "./postgres/log-store.ts";
import { createLineageStore, type StoreOptions } from "./postgres.ts";

/** Opens the record and the log over it, and takes checkpoints until the service ends. */
export async function openRecord(
  { logger, defer }: Pick<ServiceContext, "logger" | "defer">,
  config: Pick<
    ConfigOf<typeof variables>,
    "BOURSE_LEDGER_CHECKPOINT_MS" | "BOURSE_LEDGER_CONTROLLER" | "BOURSE_KEY_FILE"
  >,
  options: StoreOptions,
): Promise<LineageOptions> {
  const log = createLogStore(options);
  const onFault = (err: unknown) => logger.warn({ event: "fault", err }, "no checkpoint this time");
  defer(keepCheckpoints({ log, everyMs: config.BOURSE_LEDGER_CHECKPOINT_MS, onFault }));
  const note = await noteWriter(config.BOURSE_KEY_FILE);
  const controller = config.BOURSE_LEDGER_CONTROLLER;
  return { store: createLineageStore(options), log, note, now: options.now, controller };
}
