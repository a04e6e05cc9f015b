import { vi } from "vitest";

// vitest waits for a second and has no setting for it: too short where servers share two cores.
const waitFor = vi.waitFor;
vi.waitFor = (condition, options) =>
  waitFor(
    condition,
    typeof options === "number" ? options : { timeout: 20_000, interval: 20, ...options },
  );
