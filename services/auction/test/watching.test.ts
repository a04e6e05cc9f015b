import { TaskState } from "@bourse/proto/bourse/auction/v1/task_pb.ts";
import { streamed } from "@bourse/rpc";
import { describe, expect, test } from "vitest";
import { worldForFile } from "./support/opened.ts";
import { refusal } from "./support/refusal.ts";
import { aSpec, type Caller, postWithBids, stateOf } from "./support/world.ts";

const { world, instance } = await worldForFile();

/**
 * Follows until `enough` says so; answers with what was seen, as `<task>:<state>`, `synced` or
 * `idle`, and the last token.
 */
async function follow(
  caller: Caller,
  request: Parameters<Caller["watchTasks"]>[0],
  enough: (seen: readonly string[]) => boolean,
  onSynced: () => Promise<unknown> = async () => {},
) {
  const seen: string[] = [];
  let token = "";
  for await (const { event, resumeToken } of streamed((signal) =>
    caller.watchTasks(request, { signal }),
  )) {
    const task = event.case === "task" ? event.value : undefined;
    seen.push(task === undefined ? String(event.case) : `${task.taskId}:${stateOf(task)}`);
    if (resumeToken !== "") token = resumeToken;
    if (event.case === "synced") await onSynced();
    if (enough(seen)) break;
  }
  return { seen, token };
}

/** Idleness depends on how busy the machine is. */
const isNews = (each: string) => each !== "idle";
const synced = (seen: readonly string[]) => seen.includes("synced");

describe("a watcher", () => {
  test("gets the open tasks, then each change, whatever the state", async () => {
    const { taskId, buyer } = await postWithBids(world, instance, { w1: {} });
    const ended = await postWithBids(world, instance, {});
    await ended.buyer.cancelTask({ taskId: ended.taskId });

    const { seen } = await follow(
      buyer,
      {},
      (all) => all.includes(`${taskId}:SUCCEEDED`),
      async () => {
        await buyer.awardTask({ taskId });
        await buyer.completeTask({ taskId, success: true });
      },
    );

    const before = seen.slice(0, seen.indexOf("synced"));
    expect(before).toContain(`${taskId}:OPEN`);
    expect(before.some((each) => each.startsWith(ended.taskId))).toBe(false);
  });

  test("that comes back with its token gets what it missed, and nothing else", async () => {
    const watcher = await instance.as("agent:watcher");
    const missed = await postWithBids(world, instance, {});
    const { token } = await follow(watcher, {}, synced);
    await missed.buyer.cancelTask({ taskId: missed.taskId });

    const { seen } = await follow(watcher, { resumeToken: token }, synced);

    expect(seen).toContain(`${missed.taskId}:CANCELLED`);
    expect(seen.filter((each) => each.endsWith(":OPEN"))).toEqual([]);
  });

  test("sees what another process does", async () => {
    const other = await (await world.start()).as("agent:far");
    const watcher = await instance.as("agent:watcher");
    let posted = "";

    const { seen } = await follow(
      watcher,
      { requester: "far" },
      (all) => all.includes(`${posted}:OPEN`),
      async () => {
        const { task } = await other.postTask({ requester: "far", spec: aSpec() });
        posted = task?.taskId ?? "";
      },
    );

    expect(seen.filter(isNews)).toEqual(["synced", `${posted}:OPEN`]);
  });

  test("gets only tasks that need no more than its capabilities", async () => {
    const buyer = await instance.as("agent:asker");
    const post = async (capabilities: string[]) =>
      (await buyer.postTask({ requester: "asker", spec: aSpec({ needs: { capabilities } }) })).task
        ?.taskId ?? "";
    const one = await post(["sew"]);
    const both = await post(["sew", "knit"]);

    const sewing = await follow(buyer, { capabilities: ["Sew"], requester: "asker" }, synced);
    const all = await follow(buyer, { capabilities: ["knit", "sew"], requester: "asker" }, synced);

    expect(sewing.seen.filter(isNews)).toEqual([`${one}:OPEN`, "synced"]);
    expect(all.seen.filter(isNews).toSorted()).toEqual(
      [`${one}:OPEN`, `${both}:OPEN`, "synced"].toSorted(),
    );
  });

  test("of its own awards learns of them when they are made", async () => {
    const { taskId, buyer, agents } = await postWithBids(world, instance, { w2: {} });

    const { seen } = await follow(
      agents["w2"] as Caller,
      { winner: "w2", states: [TaskState.AWARDED] },
      (all) => all.includes(`${taskId}:AWARDED`),
      () => buyer.awardTask({ taskId }),
    );

    expect(seen.filter(isNews)).toEqual(["synced", `${taskId}:AWARDED`]);
  });

  test("hears from time to time that nothing happens", async () => {
    const watcher = await instance.as("agent:watcher");

    const { token } = await follow(watcher, { requester: "nobody" }, (all) => all.includes("idle"));

    expect(token).not.toBe("");
  });

  test("with a token of elsewhere is refused", async () => {
    const watcher = await instance.as("agent:watcher");

    expect(await refusal(follow(watcher, { resumeToken: "elsewhere.1" }, synced))).toMatchObject({
      code: "InvalidArgument",
      reason: "INVALID_RESUME_TOKEN",
    });
  });
});
