export { framed } from "../frame.ts";
export { FLAG, FRAME, NOTHING, WINDOW_DEFAULT } from "../http2/frames.ts";
export { type Caller, openCaller } from "./caller.ts";
export { eachFrame, type Frame, frame, headerBlocks, headersFrame, preface } from "./wire.ts";
