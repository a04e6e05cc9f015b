import { setFlagsFromString } from "node:v8";

// Has buffers collected with all else, wherever the ledger runs: NODE_OPTIONS does not take this flag. By itself V8
// begins a collection for each 64 MB of buffers, and has whoever asks for the next ones do its work. Those of a batch
// live as long as it does, so every four seconds all callers of a busy ledger waited for 160 ms.
setFlagsFromString("--external-memory-accounted-in-global-limit");
