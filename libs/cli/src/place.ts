import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** The checkout that this command belongs to. */
export const ROOT = fileURLToPath(new URL("../../..", import.meta.url));

/** Where `up` keeps its market unless told otherwise. */
export const DEFAULT_DATA = join(ROOT, ".bourse/market");

/** Where `demo` keeps its own. */
export const DEMO_DATA = join(ROOT, ".bourse/demo");
