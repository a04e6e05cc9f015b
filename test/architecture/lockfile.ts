/** What package-lock.json says of a package. */
export interface Locked {
  readonly version?: string;
  readonly resolved?: string;
  readonly link?: boolean;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

/** The packages of a lockfile, by where they are installed. */
export type Lockfile = Readonly<Record<string, Locked>>;

/** Packages whose entry names the server that they came from. */
export function placesNamed(packages: Lockfile): readonly string[] {
  return Object.entries(packages)
    .filter(([, { resolved }]) => resolved?.includes("://"))
    .map(([path, { resolved }]) => `${path} from ${resolved}`);
}

/**
 * Packages for other machines that the lockfile forgot: npm leaves them out when it writes the file beside an installed
 * tree, and then `npm ci` refuses the file, or installs no binary on such a machine.
 */
export function forgotten(packages: Lockfile): readonly string[] {
  return Object.entries(packages).flatMap(([path, { optionalDependencies = {} }]) =>
    Object.keys(optionalDependencies)
      .filter((name) => !foldersAbove(path).some((folder) => `${folder}${name}` in packages))
      .map((name) => `${name}, for ${path === "" ? "the root" : path}`),
  );
}

/** Where Node.js looks for what a package at a path imports, the nearest first. */
function foldersAbove(path: string): readonly string[] {
  const parts = path.split("/");
  return [...parts, ""]
    .map((_, index) => parts.slice(0, parts.length - index).join("/"))
    .map((folder) => (folder === "" ? "node_modules/" : `${folder}/node_modules/`));
}
