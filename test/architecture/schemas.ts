import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import type { Manifest } from "./deploy.ts";
import { root } from "./tree.ts";

const run = promisify(execFile);

/** Where kubernetes-types, which is generated from the published OpenAPI document, has the kinds of an API. */
const MODULES: Readonly<Record<string, string>> = {
  v1: "core/v1",
  "apps/v1": "apps/v1",
  "autoscaling/v2": "autoscaling/v2",
  "batch/v1": "batch/v1",
  "networking.k8s.io/v1": "networking/v1",
  "policy/v1": "policy/v1",
};

/**
 * Compiles Kubernetes objects against the published types and returns what the compiler finds: fields that do not
 * exist, that are missing or of another type. Throws for an API whose types are not known here.
 */
export async function schemaFaults(
  manifests: readonly Manifest[],
  typesFolder: string,
): Promise<readonly string[]> {
  const folder = await mkdtemp(join(tmpdir(), "bourse-manifests-"));
  try {
    await writeFile(join(folder, "manifests.ts"), manifests.map(declaration).join("\n"));
    await writeFile(
      join(folder, "tsconfig.json"),
      JSON.stringify({
        compilerOptions: {
          strict: true,
          noEmit: true,
          skipLibCheck: true,
          module: "esnext",
          moduleResolution: "bundler",
          types: [],
          paths: { "kubernetes-types/*": [join(typesFolder, "*")] },
        },
        files: ["manifests.ts"],
      }),
    );
    return await compile(folder, manifests);
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** The folder of an installed package. */
export function packageFolder(name: string): string {
  return dirname(join(root, "node_modules", name, "package.json"));
}

/** One object per line, so that the line of a fault names the object. */
function declaration({ file: _file, ...manifest }: Manifest, index: number): string {
  const module = MODULES[manifest.apiVersion];
  if (module === undefined) throw new Error(`no types of ${manifest.apiVersion} are known here`);
  const type = `import("kubernetes-types/${module}").${manifest.kind}`;
  return `export const object${index}: ${type} = ${JSON.stringify(manifest)};`;
}

async function compile(folder: string, manifests: readonly Manifest[]): Promise<readonly string[]> {
  const tsc = join(root, "node_modules/typescript/bin/tsc");
  try {
    await run(process.execPath, [tsc, "-p", folder, "--pretty", "false"], { cwd: folder });
    return [];
  } catch (error) {
    const { stdout } = error as { stdout: string };
    return stdout
      .split("\n")
      .filter((line) => line.includes("error TS"))
      .map((line) => {
        const [, at = "0", problem = line] = /^manifests\.ts\((\d+),\d+\): (.*)$/.exec(line) ?? [];
        const manifest = manifests[Number(at) - 1];
        return `${manifest?.file}: ${manifest?.kind} ${manifest?.metadata.name}: ${problem}`;
      });
  }
}
