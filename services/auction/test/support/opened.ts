import { afterAll, afterEach, beforeEach } from "vitest";
import { type Caller, type Instance, openWorld, type World } from "./world.ts";

/** A world, the one instance that runs in it, and its operator. */
export interface Opened {
  readonly world: World;
  readonly instance: Instance;
  readonly operator: Caller;
}

/** Opens a world that all tests of the file share; it ends with them. */
export async function worldForFile(): Promise<Opened> {
  const opened = await open();
  afterAll(() => opened.world[Symbol.asyncDispose]());
  return opened;
}

/** Gives each test of the file a world of its own, which ends with it. */
export function worldForEachTest(use: (opened: Opened) => void): void {
  let opened: Opened | undefined;
  beforeEach(async () => {
    opened = await open();
    use(opened);
  });
  afterEach(async () => {
    await opened?.world[Symbol.asyncDispose]();
    opened = undefined;
  });
}

async function open(): Promise<Opened> {
  const world = await openWorld();
  try {
    const instance = await world.start();
    return { world, instance, operator: await instance.as("operator") };
  } catch (error) {
    await world[Symbol.asyncDispose]();
    throw error;
  }
}
