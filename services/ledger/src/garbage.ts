import { setFlagsFromString } from "node:v8";

// How garbage is collected, wherever the ledger runs: NODE_OPTIONS does not take these flags.

// Has buffers collected with all else. By itself V8 begins a collection for each 64 MB of buffers, and has whoever
// asks for the next ones do its work. Those of a batch live as long as it does, so every four seconds all callers of a
// busy ledger waited for 160 ms.
setFlagsFromString("--external-memory-accounted-in-global-limit");

// Has all objects begin young. By itself V8 counts how many of those that one line makes live through a collection, and
// makes them old at birth where that are nearly all: commands do, while they wait for their batch. An old one that is
// over keeps what it held until the next large collection, so each small one copied all that had been asked since.
setFlagsFromString("--no-allocation-site-pretenuring");

// Has the next large collection wait until there is twice as much garbage as the last one kept. By itself V8 goes by
// how fast garbage comes, and the little that is left makes it collect for every 30 MB: each takes Postgres half of
// the cores for 150 ms, and stops all callers for 20.
setFlagsFromString("--heap-growing-percent=200");
