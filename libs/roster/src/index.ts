export type { AgentChange } from "./replica.ts";
export { createRoster, type Roster, type RosterOptions } from "./roster.ts";
