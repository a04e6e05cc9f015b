import { vi } from "vitest";

// vitest waits for a second and has no setting for it: too short where servers share two cores.
const PATIENCE = { timeout: 60_000, interval: 20 };
const { waitFor, waitUntil } = vi;

type Options = Parameters<typeof waitFor>[1];
const patient = (options: Options) =>
  typeof options === "number" ? options : { ...PATIENCE, ...options };

vi.waitFor = (condition, options) => waitFor(condition, patient(options));
vi.waitUntil = (condition, options) => waitUntil(condition, patient(options));
