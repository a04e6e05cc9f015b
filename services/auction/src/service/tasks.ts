import {
  type AuctionService,
  type PostTaskRequest,
  PostTaskRequestSchema,
  PostTaskResponseSchema,
} from "@bourse/proto/bourse/auction/v1/auction_service_pb.ts";
import { TaskState } from "@bourse/proto/bourse/auction/v1/task_pb.ts";
import { callOptions } from "@bourse/rpc";
import { decodePageToken, encodePageToken, pageSize } from "@bourse/rpc/page";
import { Rejection } from "@bourse/rpc/rejection";
import { answerOnce } from "@bourse/service/mutation";
import type { HandlerContext, ServiceImpl } from "@connectrpc/connect";
import { bidAutomatically, chooseBidders } from "../automatic-bid.ts";
import { beginAward } from "../award.ts";
import { bidRefused, bidSubmitted } from "../bid-event.ts";
import { writeFollowUps } from "../codec/message.ts";
import { readSpec, readState, writeTask } from "../codec/task.ts";
import { notFound } from "../mover.ts";
import type { AuctionTx } from "../store.ts";
import { callOff, post, type Step, type Task, type TaskSpec } from "../task.ts";
import { requireRequester } from "../viewer.ts";
import { callerOf, type Parts } from "./parts.ts";

type TaskMethods = Pick<
  ServiceImpl<typeof AuctionService>,
  "postTask" | "getTask" | "listTasks" | "cancelTask"
>;

/** Posting, reading and calling off. */
export function taskMethods(parts: Parts): TaskMethods {
  const { store, mover, journal, book, now } = parts;

  async function rehearse(request: PostTaskRequest, spec: TaskSpec, ctx: HandlerContext) {
    const { task } = post({ ...request, spec }, now());
    book.requireReady();
    const taken = request.taskId !== "" && (await store.task(request.taskId)) !== undefined;
    if (taken) throw alreadyThere(request.taskId);
    return { task: writeTask(task, callerOf(ctx)) };
  }

  async function open(tx: AuctionTx, request: PostTaskRequest, spec: TaskSpec): Promise<Opened> {
    const at = now();
    const taskId = request.taskId || makeTaskId(at, parts.newSuffix());
    const { requester } = request;
    const posted = post({ taskId, requester, spec }, at);
    book.requireReady();
    const bidders = chooseBidders(posted.task, book.automatic(spec.requirements.capabilities));
    const inHand = await tx.inHand(bidders.map((bidder) => bidder.agentId));
    const automatic = bidAutomatically(posted.task, bidders, {
      now: at,
      newId: parts.newId,
      inHand,
    });
    const task = { ...posted.task, bidCount: automatic.bids.length };
    const isFirstBest = spec.awardPolicy === "FIRST_QUALIFIED";
    const award = isFirstBest ? beginAward(task, automatic.bids, "FIRST", at) : undefined;
    const step: Step = {
      task: award?.task ?? task,
      followUps: [
        ...posted.followUps,
        ...automatic.bids.map((bid) => bidSubmitted(task, bid)),
        ...automatic.refusals.map((refusal) => bidRefused(task, refusal, parts.newId())),
      ],
    };
    if (!(await tx.insertTask(step.task))) throw alreadyThere(taskId);
    await tx.insertBids(automatic.bids);
    await tx.putRefusals(taskId, automatic.refusals);
    await tx.enqueue(writeFollowUps(taskId, step.followUps), at);
    return { step, bids: automatic.bids.length, refusals: automatic.refusals.length };
  }

  return {
    async postTask(request, ctx) {
      const spec = readSpec(request.spec ?? missing("spec"));
      const viewer = callerOf(ctx);
      if (request.validateOnly) return rehearse(request, spec, ctx);
      let opened: Opened | undefined;
      const answer = await store.write((tx) => {
        opened = undefined;
        const schemas = { input: PostTaskRequestSchema, output: PostTaskResponseSchema };
        return answerOnce(tx.sql, ctx, schemas, request, async () => {
          opened = await open(tx, request, spec);
          return { task: writeTask(opened.step.task, viewer) };
        });
      }, ctx.signal);
      if (opened !== undefined) {
        journal.told(undefined, opened.step);
        journal.bid("automatic", opened.bids);
        journal.bid("refused", opened.refusals);
      }
      return { task: await finishFirstAward(parts, answer.task, ctx) };
    },

    async getTask({ taskId }, ctx) {
      const task = await store.task(taskId);
      if (task === undefined) throw notFound(taskId);
      return { task: writeTask(task, callerOf(ctx)) };
    },

    async listTasks(request, ctx) {
      const filter = {
        states: request.states.map(readState),
        requester: request.requester,
        winner: request.winner,
        capability: request.capability.trim().toLowerCase(),
      };
      const [createTime, taskId] = decodePageToken(filter, request.pageToken, 2) ?? [];
      const size = pageSize(request.pageSize);
      const found = await store.tasks(filter, {
        size: size + 1,
        after:
          createTime === undefined || taskId === undefined
            ? undefined
            : { createTime: new Date(createTime), taskId },
      });
      const page = fitting(found.slice(0, size));
      const last = page.at(-1);
      const isLast = last === undefined || page.length === found.length;
      return {
        tasks: page.map((task) => writeTask(task, callerOf(ctx))),
        nextPageToken: isLast
          ? ""
          : encodePageToken(filter, [last.createTime.toISOString(), last.taskId]),
      };
    },

    async cancelTask({ taskId }, ctx) {
      const viewer = callerOf(ctx);
      const task = await mover.move(
        taskId,
        (current, _tx, at) => {
          requireRequester(current, viewer);
          return callOff(current, at);
        },
        ctx.signal,
      );
      return { task: writeTask(task, viewer) };
    },
  };
}

interface Opened {
  readonly step: Step;
  readonly bids: number;
  readonly refusals: number;
}

/** A task as it is to be answered with: where a first qualified bid is winning, after the award. */
export async function finishFirstAward<
  T extends { readonly taskId: string; readonly state: number },
>({ store, award }: Pick<Parts, "store" | "award">, answered: T | undefined, ctx: HandlerContext) {
  if (answered?.state !== TaskState.AWARDING) return answered;
  const task = await store.task(answered.taskId);
  if (task === undefined) return answered;
  const awarding = await award(task, callOptions(ctx));
  return writeTask(awarding.task, callerOf(ctx));
}

/** Bytes of payloads and outputs that one page may hold, well below what a message may. */
const PAGE_BYTES_MAX = 2_000_000;

function fitting(tasks: readonly Task[]): readonly Task[] {
  let bytes = 0;
  const end = tasks.findIndex((task, index) => {
    bytes += (task.spec.payload?.length ?? 0) + (task.result?.output?.length ?? 0);
    return index > 0 && bytes > PAGE_BYTES_MAX;
  });
  return end < 0 ? tasks : tasks.slice(0, end);
}

function makeTaskId(now: Date, suffix: string): string {
  const [day = "", time = ""] = now.toISOString().split("T");
  return `task-${day.replaceAll("-", "")}-${time.slice(0, 8).replaceAll(":", "")}-${suffix}`;
}

function alreadyThere(taskId: string): Rejection {
  return new Rejection("TASK_ALREADY_EXISTS", `there is a task ${taskId} already`, {
    metadata: { task_id: taskId },
  });
}

function missing(field: string): never {
  throw new Error(`${field} was let through without being there`);
}
