import { readFile } from "node:fs/promises";

/**
 * The version of this checkout or image, from the package.json at its root; `unknown` when there is
 * none.
 */
export async function readVersion(): Promise<string> {
  try {
    const text = await readFile(new URL("../../../package.json", import.meta.url), "utf8");
    const { version } = JSON.parse(text) as { version?: unknown };
    return typeof version === "string" ? version : "unknown";
  } catch {
    return "unknown";
  }
}
