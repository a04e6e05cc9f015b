import { startEmbedded } from "../../src/embedded.ts";
import { createPool } from "../../src/index.ts";

// Starts a server as another user or from another checkout, counts this visit in it, and says so.
// With "stay" it then waits to be killed.
const [dataDirectory = "", root = "", stay] = process.argv.slice(2);
const server = await startEmbedded({ dataDirectory, durable: false, roots: [root] });
const pool = createPool(server.url, { max: 1 });
await pool.query("create table if not exists visits (at timestamptz default now())");
await pool.query("insert into visits default values");
const { rows } = await pool.query("select count(*)::int as visits from visits");
await pool.end();
process.stdout.write(`${JSON.stringify({ ...rows[0], pid: server.pid, url: server.url })}\n`);
if (stay === "stay") setInterval(() => {}, 60_000);
else await server.stop();
