import { spawn } from "node:child_process";
import { mkdtempSync, readdirSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import {
  forgetRunning,
  lockDataFolder,
  openDataFolder,
  readRunning,
  writeRunning,
} from "../src/market/data-folder.ts";
import { identify, isAlive } from "../src/market/process-id.ts";

const newFolder = () => join(mkdtempSync(join(tmpdir(), "bourse-data-")), "market");

describe("a data folder", () => {
  test("is made where there is none and opened again", () => {
    const path = newFolder();

    const made = openDataFolder(path);
    const opened = openDataFolder(path);

    expect(opened).toEqual(made);
  });

  test("of a newer version is refused and left as it was", () => {
    const path = newFolder();
    openDataFolder(path);
    writeFileSync(join(path, "FORMAT"), "999\n");
    const before = readdirSync(path);

    expect(() => openDataFolder(path)).toThrow(/newer Bourse \(format 999/);
    expect(readdirSync(path)).toEqual(before);
  });

  test("of before the first release is refused, for its books cannot be read", () => {
    const path = newFolder();
    openDataFolder(path);
    writeFileSync(join(path, "FORMAT"), "1\n");
    const before = readdirSync(path);

    expect(() => openDataFolder(path)).toThrow(/before the first release/);
    expect(readdirSync(path)).toEqual(before);
  });

  test("is one market's at a time", () => {
    const folder = openDataFolder(newFolder());
    const lock = lockDataFolder(folder);

    expect(() => lockDataFolder(folder)).toThrow(/runs on .* already: stop it with .\/bourse down/);

    lock[Symbol.dispose]();
    expect(() => lockDataFolder(folder)[Symbol.dispose]()).not.toThrow();
  });

  test("is free again when the market that held it was killed", async () => {
    const folder = openDataFolder(newFolder());
    const child = spawn(process.execPath, ["--eval", "setInterval(() => {}, 1000)"]);
    const owner = identify(child.pid as number);
    writeFileSync(join(folder.root, "lock"), JSON.stringify(owner));
    expect(() => lockDataFolder(folder)).toThrow();

    child.kill("SIGKILL");

    await expect.poll(() => isAlive(owner)).toBe(false);
    expect(() => lockDataFolder(folder)[Symbol.dispose]()).not.toThrow();
  });

  test("tells what runs on it until that has stopped", () => {
    const folder = openDataFolder(newFolder());
    const process = identify(globalThis.process.pid);
    const address = "127.0.0.1:7401";
    const running = {
      supervisor: process,
      version: "0.1.0",
      startTime: "2026-11-21T00:00:00.000Z",
      services: [{ name: "registry", address, metricsAddress: address, process }],
    };

    writeRunning(folder, running);
    expect(readRunning(folder)).toEqual(running);

    forgetRunning(folder);
    expect(readRunning(folder)).toBeUndefined();
  });
});

describe("a process id", () => {
  test("is not that of a later process with the same number", () => {
    const self = identify(process.pid);

    expect(isAlive(self)).toBe(true);
    expect(isAlive({ ...self, started: "1" })).toBe(false);
  });
});
