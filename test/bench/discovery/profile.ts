import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { hottest, profileWhile } from "../inspector.ts";
import type { Profiled } from "./figures.ts";
import { type LoadParts, measureTarget } from "./loads.ts";
import type { Target } from "./targets.ts";

const MOST = 12;

/** Where the inspector of discovery will be, if it is to be profiled: services inherit NODE_OPTIONS. */
export function prepareProfiles(port: number): void {
  const { NODE_OPTIONS = "" } = process.env;
  process.env["NODE_OPTIONS"] = `${NODE_OPTIONS} --inspect-port=127.0.0.1:${port}`;
}

/**
 * Puts each load on discovery once more, profiles its process meanwhile, and writes one .cpuprofile for
 * each. Afterwards, since what is profiled is slower.
 */
export async function profileLoads(
  parts: LoadParts,
  agents: number,
  targets: readonly Target[],
): Promise<readonly Profiled[]> {
  const { settings, stage, inspectorPort } = parts;
  if (settings.profile === undefined || inspectorPort === undefined) return [];
  await mkdir(settings.profile, { recursive: true });
  // Opens the inspector.
  const { pid } = stage.market.processOf("discovery") ?? {};
  if (pid !== undefined) process.kill(pid, "SIGUSR1");
  const profiled: Profiled[] = [];
  for (const target of targets) {
    const place = { agents, round: 0, pair: 0 };
    const profile = await profileWhile(inspectorPort, () =>
      measureTarget(parts, place, target, settings.seconds),
    );
    const { subject } = target;
    const name = `${subject.replaceAll(/[ ,_]+/g, "-")}-${agents}.cpuprofile`;
    await writeFile(join(settings.profile, name), JSON.stringify(profile));
    profiled.push({ agents, subject, hottest: hottest(profile, MOST) });
  }
  return profiled;
}
