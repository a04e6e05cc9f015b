import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "../place.ts";

// Brings package-lock.json up to date with every package.json (npm run relock).
//
// A registry that mirrors the binaries of some platforms only makes npm drop the others from the lockfile, and `npm ci`
// refuses such a lockfile everywhere. So what is declared as optional and is missing is put back by name and version.

interface Locked {
  readonly version?: string;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
  readonly [member: string]: unknown;
}

const SYSTEMS = /(android|darwin|freebsd|linux|win32|openharmony|sunos|netbsd|openbsd|aix)/;
const PROCESSORS = /(arm64|x64|ia32|ppc64|riscv64|s390x|loong64|mips64el|arm)/;

spawnSync("npm", ["install", "--package-lock-only"], { cwd: ROOT, stdio: "inherit" });
const file = join(ROOT, "package-lock.json");
const lock = JSON.parse(readFileSync(file, "utf8")) as { packages: Record<string, Locked> };
for (const [at, { optionalDependencies = {} }] of Object.entries(lock.packages)) {
  for (const [name, version] of Object.entries(optionalDependencies)) {
    const places = [`node_modules/${name}`, `${at}/node_modules/${name}`];
    if (places.some((place) => place in lock.packages)) continue;
    lock.packages[`node_modules/${name}`] = missing(name, version);
  }
}
const sorted = Object.entries(lock.packages).sort(([a], [b]) => a.localeCompare(b, "en"));
const text = JSON.stringify({ ...lock, packages: Object.fromEntries(sorted) }, undefined, 2);
writeFileSync(file, `${text}\n`);

/** An entry that only a machine of the platform in its name installs. */
function missing(name: string, version: string): Locked {
  const system = SYSTEMS.exec(name)?.[1];
  const processor = PROCESSORS.exec(name)?.[1];
  return {
    version,
    ...(processor !== undefined && { cpu: [processor] }),
    dev: true,
    ...(system === "linux" && { libc: [name.includes("musl") ? "musl" : "glibc"] }),
    optional: true,
    ...(system !== undefined && { os: [system] }),
  };
}
