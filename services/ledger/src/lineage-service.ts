import type { JsonObject } from "@bourse/proof";
import {
  type Event,
  EventSchema,
  type LineageService,
  type NewEvent as NewEventMessage,
} from "@bourse/proto/bourse/ledger/v1/lineage_service_pb.ts";
import { principalKey } from "@bourse/rpc";
import { encodePageToken, pageSize } from "@bourse/rpc/page";
import type { Fault } from "@bourse/rpc/rejection";
import { personalDataFaults } from "@bourse/service/personal-data";
import { create } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { ServiceImpl } from "@connectrpc/connect";
import { fitting, jsonFault, rejectFaults, textFault } from "./limit.ts";
import type { LineageEvent, NewEvent } from "./lineage.ts";
import { eventCursor } from "./page.ts";
import { type ProofOptions, proofs } from "./proof-service.ts";
import { type ReportOptions, reports } from "./report-service.ts";
import type { LineageStore } from "./store.ts";
import { decodeTime } from "./time.ts";

const PAYLOAD_BYTES_MAX = 16 * 1024;
const DEFAULT_SPAN_MS = 7 * 24 * 60 * 60 * 1_000;

/** What the record is served with. */
export interface LineageOptions extends ProofOptions, ReportOptions {
  readonly store: LineageStore;
  readonly now: () => Date;
}

/** Serves the record. */
export function lineageService(options: LineageOptions): ServiceImpl<typeof LineageService> {
  const { store, now } = options;
  return {
    ...proofs(options),
    ...reports(options),

    async appendEvents({ events }, ctx) {
      const { id: source } = ctx.values.get(principalKey);
      rejectFaults(events.flatMap(eventFaults));
      const head = await store.append(source, events.map(decodeEvent), ctx);
      return { headSequence: head.sequence, headHash: head.hash.toString("hex") };
    },

    async queryEvents({ pageSize: size, pageToken, ...request }, ctx) {
      const { $typeName, $unknown, ...asked } = request;
      rejectFaults([
        ...asked.types.map((type, nth) => textFault(`types[${nth}]`, type)),
        textFault("task_id", asked.taskId),
        textFault("source", asked.source),
      ]);
      const after = eventCursor(asked, pageToken);
      const until = decodeTime("end_time", asked.endTime);
      // Fixed by the first page, so that what is listed does not shrink while it is read.
      const from =
        after?.from ??
        decodeTime("start_time", asked.startTime) ??
        new Date((until ?? now()).getTime() - DEFAULT_SPAN_MS);
      const limit = pageSize(size, 100);
      const filter = {
        types: asked.types,
        subject: asked.subject === "" ? undefined : asked.subject,
        taskId: asked.taskId === "" ? undefined : asked.taskId,
        source: asked.source === "" ? undefined : asked.source,
        from,
        until,
      };
      const rows = await store.query(filter, after?.sequence ?? 0n, limit + 1, ctx);
      const page = fitting(rows.slice(0, limit), (event) => event.payload);
      const last = page.at(-1);
      const more = last !== undefined && page.length < rows.length;
      return {
        events: page.map(encodeEvent),
        nextPageToken: more
          ? encodePageToken(asked, [String(last.sequence), from.toISOString()])
          : "",
      };
    },

    async verifyChain(_request, ctx) {
      const { entries, head, broken } = await store.verifyChain(ctx);
      return {
        ok: broken === undefined,
        entries,
        headHash: head.hash.toString("hex"),
        brokenSequence: broken?.sequence ?? 0n,
        fault: broken?.fault ?? "",
        entry: broken?.entry ?? "",
        detail: broken?.detail ?? "",
      };
    },
  };
}

function eventFaults(event: NewEventMessage, nth: number): readonly (Fault | undefined)[] {
  const at = `events[${nth}]`;
  const payload = event.payload as JsonObject | undefined;
  const payloadFault = jsonFault(`${at}.payload`, payload, PAYLOAD_BYTES_MAX);
  return [
    textFault(`${at}.task_id`, event.taskId),
    payloadFault,
    ...personalDataFaults(event.eventId, `${at}.event_id`),
    ...personalDataFaults(event.taskId, `${at}.task_id`),
    // What is too deep or too large is not walked.
    ...(payloadFault === undefined ? personalDataFaults(payload, `${at}.payload`) : []),
  ];
}

function decodeEvent(event: NewEventMessage, nth: number): NewEvent {
  const payload = event.payload as JsonObject | undefined;
  const eventTime = decodeTime(`events[${nth}].event_time`, event.eventTime);
  if (eventTime === undefined) throw new TypeError("an event has no time");
  const { eventId, type, subjects, taskId } = event;
  return { eventId, type, eventTime, subjects, taskId, payload };
}

function encodeEvent(event: LineageEvent): Event {
  const { payload, eventTime, recordTime, hash, nth, ...rest } = event;
  return create(EventSchema, {
    ...rest,
    hash: hash.toString("hex"),
    eventTime: timestampFromDate(eventTime),
    recordTime: timestampFromDate(recordTime),
    ...(payload !== undefined && { payload: payload as never }),
  });
}
