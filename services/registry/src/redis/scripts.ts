import { readFileSync } from "node:fs";

/** The text of a script of this folder; of several, one after the other. */
function script(...names: readonly string[]): string {
  return names.map((name) => readFileSync(new URL(name, import.meta.url), "utf8")).join("");
}

/**
 * Every script, under the name of its command. A connection is made with all of them: to one that
 * is defined while other commands are on their way ioredis' pipelines have no answer.
 */
export const SCRIPTS = {
  registryRead: { lua: script("read.lua") },
  registryBeat: { numberOfKeys: 5, lua: script("news.lua", "beat.lua") },
  registrySlot: { numberOfKeys: 6, lua: script("news.lua", "slot.lua") },
  registryForget: { numberOfKeys: 7, lua: script("forget.lua") },
  registryChanges: { numberOfKeys: 6, lua: script("server.lua", "changes.lua") },
  registryBreakerWrite: { numberOfKeys: 3, lua: script("breaker-write.lua") },
  registryBreakerChanges: { numberOfKeys: 2, lua: script("server.lua", "breaker-changes.lua") },
};
