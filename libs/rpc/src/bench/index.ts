export { framed } from "../frame.ts";
export { type Caller, openCaller } from "./caller.ts";
