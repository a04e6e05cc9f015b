import { createHash, randomBytes } from "node:crypto";
import { lstat, mkdir, open, readFile, realpath, rename, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type Account, canReach, serverAccount } from "./account.ts";
import { makeFolder, trustedRoot } from "./root.ts";

/** Where the files of one server lie and under which account it runs. */
export interface Home {
  /**
   * The folder that holds the cluster, the log and the lock: the data directory, or one outside of
   * it.
   */
  readonly path: string;
  readonly cluster: string;
  /** Undefined: as ourselves. */
  readonly account: Account | undefined;
}

/** Makes the data directory unless it is there, and returns its own path, without links. */
export async function openDirectory(dataDirectory: string): Promise<string> {
  await mkdir(dataDirectory, { recursive: true, mode: 0o755 });
  return realpath(dataDirectory);
}

/**
 * Finds the files that belong to `dataDirectory`, or the place where they will be.
 *
 * That is the data directory itself, unless the account of the server cannot enter it: then it is a
 * folder below one of `roots`, and the file `location` in the data directory names it ever after. Call it while holding
 * the lock of the data directory.
 */
export async function findHome(dataDirectory: string, roots: readonly string[]): Promise<Home> {
  const directory = await openDirectory(dataDirectory);
  const location = await readText(join(directory, "location"));
  if (location !== undefined) return existing(await outside(directory, location));
  if ((await ownerOf(join(directory, "cluster"))) !== undefined) return existing(directory);
  const account = serverAccount();
  if (canReach(directory, account)) return homeAt(directory, account);
  return homeAt(await settleOutside(directory, account, roots), account);
}

/** The password of the server, made at the first call and kept in the data directory. */
export async function keepPassword(dataDirectory: string, home: Home): Promise<string> {
  const path = join(dataDirectory, "password");
  const kept = await readText(path);
  if (kept !== undefined && kept !== "") return kept;
  if ((await ownerOf(home.cluster)) !== undefined) {
    throw new Error(`${path} is missing, but the database in ${home.cluster} was made with it`);
  }
  const password = randomBytes(24).toString("hex");
  await writeWhole(path, `${password}\n`, 0o600);
  return password;
}

/** The account that owns `path`, or undefined when there is nothing. */
export async function ownerOf(path: string): Promise<Account | undefined> {
  const found = await stat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined;
    throw error;
  });
  return found && { uid: found.uid, gid: found.gid };
}

function homeAt(path: string, account: Account | undefined): Home {
  return { path, cluster: join(path, "cluster"), account };
}

async function existing(path: string): Promise<Home> {
  const owner = await ownerOf(join(path, "cluster"));
  const uid = process.getuid?.();
  if (owner === undefined) return homeAt(path, serverAccount());
  if (owner.uid === uid && uid !== 0) return homeAt(path, undefined);
  if (uid === 0 && owner.uid !== 0) return homeAt(path, owner);
  throw new Error(
    `the database in ${path} belongs to uid ${owner.uid}: start as that user or root`,
  );
}

async function outside(directory: string, location: string): Promise<string> {
  if ((await ownerOf(location)) !== undefined) return location;
  throw new Error(
    `the database of ${directory} was in ${location}, which is gone: ` +
      `bring it back, or remove ${join(directory, "location")} to begin with an empty one`,
  );
}

async function settleOutside(
  directory: string,
  account: Account | undefined,
  roots: readonly string[],
): Promise<string> {
  const hash = createHash("sha256").update(directory).digest("hex").slice(0, 16);
  const path = join(await trustedRoot(roots, account), hash);
  // What is there belonged to a data directory of the same name that was deleted, password and all.
  const abandoned = await lstat(path).catch(() => undefined);
  if (abandoned !== undefined) await rename(path, `${path}.abandoned-${Date.now()}`);
  await makeFolder(path);
  await writeFile(join(path, "README"), `The database of ${directory}\n`);
  await writeFile(
    join(directory, "README"),
    `The database files are in ${path}: Postgres does not run as root, and the account that it\n` +
      "runs under cannot enter this folder. The file location says so to the program: keep it.\n",
  );
  await writeWhole(join(directory, "location"), `${path}\n`, 0o644);
  return path;
}

/** Writes a file that is there whole or not at all, also after a power cut. */
async function writeWhole(path: string, text: string, mode: number): Promise<void> {
  const draft = await open(`${path}.draft`, "w", mode);
  try {
    await draft.writeFile(text);
    await draft.sync();
  } finally {
    await draft.close();
  }
  await rename(`${path}.draft`, path);
}

async function readText(path: string): Promise<string | undefined> {
  try {
    return (await readFile(path, "utf8")).trim();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}
