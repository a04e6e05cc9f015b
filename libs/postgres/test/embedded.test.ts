import { spawn } from "node:child_process";
import { once } from "node:events";
import { chown, constants, readdir, readFile, stat, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { beforeAll, expect, test } from "vitest";
import { findDistribution, prepareBinaries } from "../src/embedded/binaries.ts";
import { findHome } from "../src/embedded/home.ts";
import { launch } from "../src/embedded/postmaster.ts";
import { startEmbedded } from "../src/embedded.ts";
import { ask, useFolder, VISIT, visit } from "./support/embedded.ts";

const folder = useFolder();

let dataDirectory: string;

beforeAll(async () => {
  dataDirectory = join(folder.path, "data");
  await visit({ dataDirectory, roots: folder.roots, home: folder.path });
});

const start = (options: { port?: number } = {}) =>
  startEmbedded({ dataDirectory, durable: false, roots: [folder.roots], ...options });

test("keeps what was written, and the password closed to others", async () => {
  await using server = await start();

  expect(await ask(server.url, "select count(*)::int as n from visits")).toEqual([{ n: 1 }]);
  expect((await stat(join(dataDirectory, "password"))).mode & 0o777).toBe(0o600);
  const stranger = server.url.replace(/:[0-9a-f]{48}@/, ":guess@");
  await expect(ask(stranger, "select 1")).rejects.toThrow("password authentication failed");
});

test("sorts and folds Unicode whatever the locale of the machine", async () => {
  await using server = await start();

  expect(await ask(server.url, "select lower('ÄÉ') as low")).toEqual([{ low: "äé" }]);
});

test.runIf(process.platform === "linux")(
  "appends to its log, or children of a killed server would write over what the next one says",
  async () => {
    await using server = await start();

    const info = await readFile(`/proc/${server.pid}/fdinfo/2`, "utf8");

    const flags = Number.parseInt(/^flags:\s*(\d+)/m.exec(info)?.[1] ?? "", 8);
    expect(flags & constants.O_APPEND).toBe(constants.O_APPEND);
  },
);

test("is durable unless told otherwise", async () => {
  const settings = "select current_setting('fsync') as fsync";
  const quick = await start();
  expect(await ask(quick.url, settings)).toEqual([{ fsync: "off" }]);
  await quick.stop();

  await using durable = await startEmbedded({ dataDirectory, roots: [folder.roots] });

  expect(await ask(durable.url, settings)).toEqual([{ fsync: "on" }]);
});

test("refuses a second start while the first lives, and the first goes on", async () => {
  await using server = await start();

  await expect(start()).rejects.toThrow(`process ${process.pid} uses this database`);
  expect(await ask(server.url, "select 1 as one")).toEqual([{ one: 1 }]);
});

test("listens on the port it is given, and names it when it is taken", async () => {
  const [port, close] = await takePort();

  await expect(start({ port })).rejects.toThrow(`port ${port} is taken`);

  await close();
  await using server = await start({ port });
  expect(server.port).toBe(port);
});

test("ends with its owner, even one that was killed, and starts again", async () => {
  const owner = spawn(process.execPath, [VISIT, dataDirectory, folder.roots, "stay"], {
    env: { PATH: process.env["PATH"], HOME: folder.path },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [line] = await once(createInterface(owner.stdout), "line");
  const { pid } = JSON.parse(line);
  owner.kill("SIGKILL");

  await expect.poll(() => isAlive(pid)).toBe(false);

  await using server = await start();
  expect(await ask(server.url, "select 1 as one")).toEqual([{ one: 1 }]);
});

test("says when it ended by itself, and starts again after a kill -9", async () => {
  const killed = await start();
  process.kill(killed.pid, "SIGKILL");
  await killed.exited;

  await using server = await start();

  expect(await ask(server.url, "select 1 as one")).toEqual([{ one: 1 }]);
});

test("stops a server that was left running on its files before it starts another", async () => {
  const home = await findHome(dataDirectory, [folder.roots]);
  const binaries = await prepareBinaries(await findDistribution(), home.account, [folder.roots]);
  const [port, close] = await takePort();
  await close();
  const left = await launch(binaries, home, { port, unix_socket_directories: "" });

  await using server = await start();

  await left.exited;
  expect(await ask(server.url, "select 1 as one")).toEqual([{ one: 1 }]);
});

test("is not misled by a process file whose process is now another", async () => {
  const cluster = join(dataDirectory, "cluster");
  const { uid, gid } = await stat(cluster);
  await writeFile(join(cluster, "postmaster.pid"), `${process.pid}\n${cluster}\n`);
  await chown(join(cluster, "postmaster.pid"), uid, gid);

  await using server = await start();

  expect(await ask(server.url, "select 1 as one")).toEqual([{ one: 1 }]);
});

test("takes over from an owner whose process is now another", async () => {
  const owner = join(dataDirectory, "owner");
  await writeFile(owner, JSON.stringify({ pid: process.pid, mark: "of long ago", id: "x" }));

  const server = await start();
  await server.stop();

  expect(await readdir(dataDirectory)).not.toContain("owner");
});

test("refuses the files of another version of Postgres", async () => {
  const version = join(dataDirectory, "cluster", "PG_VERSION");
  await writeFile(version, "17\n");

  await expect(start()).rejects.toThrow("is of Postgres 17, this is Postgres 18");

  await writeFile(version, "18\n");
});

test("reports the end of the log when it cannot start", async () => {
  const config = join(dataDirectory, "cluster", "postgresql.conf");
  const before = await readFile(config, "utf8");
  await writeFile(config, `${before}\nnonsense = 1\n`);

  await expect(start()).rejects.toThrow('unrecognized configuration parameter "nonsense"');

  await writeFile(config, before);
});

async function takePort(): Promise<[port: number, close: () => Promise<void>]> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const close = async () => {
    server.close();
    await once(server, "close");
  };
  return [(server.address() as { port: number }).port, close];
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
