import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { chmod, mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterEach, describe, expect, test } from "vitest";
import { startEmbedded } from "../src/embedded.ts";
import { ask, useFolder, VISIT } from "./support/embedded.ts";

const folder = useFolder();
/** The shell becomes the owner. */
const STAY = 'exec "$NODE" "$VISIT" "$DATA" "$ROOTS" stay';
const linux = process.platform === "linux";

let started: ChildProcess[] = [];
afterEach(() => {
  for (const child of started) if (child.exitCode === null) child.kill("SIGKILL");
  started = [];
});

/** Runs a shell script in which `visit` starts a server on the directory and counts the visit. */
function shell(script: string, dataDirectory: string): ChildProcess {
  const env = {
    PATH: process.env["PATH"],
    HOME: folder.path,
    NODE: process.execPath,
    VISIT,
    DATA: dataDirectory,
    ROOTS: folder.roots,
  };
  const visit = 'visit() { "$NODE" "$VISIT" "$DATA" "$ROOTS" "$@"; }';
  const child = spawn("/bin/sh", ["-c", `${visit}\n${script}`], {
    cwd: "/",
    env,
    stdio: ["ignore", "pipe", "pipe"],
  });
  started.push(child);
  return child;
}

async function outcome(
  child: ChildProcess,
): Promise<{ code: number; visits?: number; text: string }> {
  let out = "";
  let text = "";
  child.stdout?.on("data", (chunk) => {
    out += chunk;
  });
  child.stderr?.on("data", (chunk) => {
    text += chunk;
  });
  const [code] = await once(child, "close");
  return code === 0 ? { code, text, ...JSON.parse(out) } : { code, text };
}

async function firstLine(child: ChildProcess): Promise<string> {
  const [line] = await once(createInterface(child.stdout as NodeJS.ReadableStream), "line");
  return line;
}

/** A folder that the account of the server cannot enter, when there is one. */
async function closed(name: string): Promise<string> {
  const path = join(folder.path, `closed-${name}`);
  await mkdir(path, { mode: 0o700 });
  return join(path, "data");
}

test("serves files below a path with spaces, quotes and letters of other alphabets", async () => {
  const dataDirectory = join(folder.path, `it's "my" $HOME \\ dätä 数据`);

  expect(await outcome(shell("visit", dataDirectory))).toMatchObject({ code: 0, visits: 1 });
  expect(await outcome(shell("visit", dataDirectory))).toMatchObject({ code: 0, visits: 2 });
});

test.each(["000", "027", "077"])("starts under umask %s", async (umask) => {
  const dataDirectory = await closed(umask);

  // The folders for what lies outside are made anew.
  const script = `umask ${umask}; ROOTS="$ROOTS/${umask}/deep"; visit`;
  expect(await outcome(shell(script, dataDirectory))).toMatchObject({ code: 0, visits: 1 });
});

test("of three that start at once for the first time, one does, and keeps its files", async () => {
  const dataDirectory = await closed("at-once");

  const outcomes = await Promise.all([1, 2, 3].map(() => outcome(shell("visit", dataDirectory))));

  const visits = outcomes.filter(({ code }) => code === 0).map((each) => each.visits);
  expect(visits.toSorted()).toEqual(visits.map((_, nth) => nth + 1));
  expect(visits.length).toBeGreaterThan(0);
  for (const { code, text } of outcomes)
    if (code !== 0) expect(text).toContain("uses this database");
  const outside = await readdir(folder.roots).catch(() => []);
  expect(outside.filter((name) => name.includes("abandoned"))).toEqual([]);
});

test("starts over after a first start that was killed when it had made the password file", async () => {
  const dataDirectory = join(folder.path, "no-password");
  await mkdir(dataDirectory);
  await chmod(dataDirectory, 0o755);
  await writeFile(join(dataDirectory, "password"), "");

  await using server = await startEmbedded({
    dataDirectory,
    durable: false,
    roots: [folder.roots],
  });

  expect(await ask(server.url, "select 1 as one")).toEqual([{ one: 1 }]);
});

describe.skipIf(!linux)("after a kill -9", () => {
  test("takes over from an owner whose parent does not bury it", async () => {
    const dataDirectory = join(folder.path, "zombie");
    const parent = shell('"$NODE" "$VISIT" "$DATA" "$ROOTS" stay & exec sleep 600', dataDirectory);
    await firstLine(parent);
    const owner = JSON.parse(await readFile(join(dataDirectory, "owner"), "utf8"));
    process.kill(owner.pid, "SIGKILL");

    const again = await outcome(shell("visit", dataDirectory));

    expect(again).toMatchObject({ code: 0, visits: 2 });
    expect(await readFile(`/proc/${owner.pid}/stat`, "utf8")).toContain(") Z ");
  });

  test("of an owner that still waited for the server, no server is left", async () => {
    const dataDirectory = join(folder.path, "early");
    await outcome(shell("visit", dataDirectory));
    for (let nth = 0; nth < 3; nth++) {
      const owner = shell(STAY, dataDirectory);
      await expect.poll(() => serversOn(dataDirectory), { interval: 1 }).not.toEqual([]);
      owner.kill("SIGKILL");
      await expect.poll(() => serversOn(dataDirectory)).toEqual([]);
    }
  });

  test("starts within the same second", async () => {
    const dataDirectory = join(folder.path, "same-second");
    for (let nth = 1; nth <= 3; nth++) {
      const owner = shell(STAY, dataDirectory);
      expect(JSON.parse(await firstLine(owner))).toMatchObject({ visits: nth });
      owner.kill("SIGKILL");
      await once(owner, "exit");
    }
    // The last one ends by itself; as long as it writes its folder cannot go.
    await expect.poll(() => serversOn(dataDirectory)).toEqual([]);
  });
});

/** The ids of postmasters on the files of a directory; one that has ended but is not buried is none. */
function serversOn(dataDirectory: string): string[] {
  return readdirSync("/proc").filter((pid) => {
    if (!/^\d+$/.test(pid)) return false;
    try {
      const [program = "", ...flags] = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
      return program.endsWith("/postgres") && flags.includes(join(dataDirectory, "cluster"));
    } catch {
      return false;
    }
  });
}
