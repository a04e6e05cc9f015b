import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

// Run from the proto folder: generates anew beside, and exits 1 naming every file that differs from what is committed.

const fresh = mkdtempSync(join(tmpdir(), "bourse-gen-"));
try {
  const { status } = spawnSync("buf", ["generate", "--output", fresh], { stdio: "inherit" });
  const differing = status === 0 ? differences("gen", join(fresh, "gen")) : ["buf generate failed"];
  for (const file of differing) console.error(`not what the contracts generate: ${file}`);
  if (differing.length > 0) {
    console.error("run npm run generate and commit what it writes");
    process.exitCode = 1;
  }
} finally {
  rmSync(fresh, { recursive: true, force: true });
}

function differences(committed: string, generated: string): string[] {
  const names = new Set([...filesBelow(committed), ...filesBelow(generated)]);
  return [...names].filter((name) => read(committed, name) !== read(generated, name)).sort();
}

function filesBelow(folder: string): string[] {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile());
  return files.map((file) => join(file.parentPath, file.name).slice(folder.length + 1));
}

function read(folder: string, name: string): string | undefined {
  try {
    return readFileSync(join(folder, name), "utf8");
  } catch {
    return undefined;
  }
}
