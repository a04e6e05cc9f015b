import { setTimeout as delay } from "node:timers/promises";
import { DiscoveryService } from "@bourse/proto/bourse/discovery/v1/discovery_service_pb.ts";
import { type Binding, Rejection } from "@bourse/rpc";
import {
  type BuiltService,
  commonVariables,
  readConfig,
  runWorkers,
  type ServiceContext,
  wholeNumber,
} from "@bourse/service";
import { Code, type HandlerContext } from "@connectrpc/connect";
import { z } from "zod";

// A process for the tests of `run` and `runWorkers`: a discovery that does what the header `x-act` of a call says.
const config = readConfig(
  {
    ...commonVariables,
    WORKERS: wholeNumber({ min: 1, max: 9 }).default(1),
    EARLY: z.enum(["yes", "no"]).default("no"),
    BUILD: z
      .enum(["quick", "held", "failing", "stuck", "unruly", "unmigrated", "endless"])
      .default("quick"),
  },
  process.env,
);

await runWorkers(config.WORKERS, {
  name: "discovery",
  domain: "bourse.discovery",
  config,
  services: config.EARLY === "yes" ? [DiscoveryService] : undefined,
  migrate,
  build,
});

async function migrate(): Promise<void> {
  if (config.BUILD === "unmigrated") throw new Error("the schema is newer");
  process.stdout.write(`${JSON.stringify({ msg: "migrating" })}\n`);
  if (config.BUILD === "endless") await delay(3_600_000);
}

async function build(context: ServiceContext): Promise<BuiltService> {
  const { logger } = context;
  context.defer({ [Symbol.dispose]: () => logger.info("first is closed") });
  context.defer({
    async [Symbol.asyncDispose]() {
      logger.info("second is closed");
      if (config.BUILD === "unruly") throw new Error("cannot close");
    },
  });
  context.signal.addEventListener("abort", () => logger.info("work ends"));
  if (config.BUILD === "failing") throw new Error("no database");
  logger.info({ pid: process.pid }, "building");
  if (config.BUILD === "held") await signalled();
  if (config.BUILD === "stuck") await delay(3_600_000);
  const impl = {
    summarizeCapabilities: (_: unknown, ctx: HandlerContext) => act(context, ctx),
  };
  return {
    bindings: [{ desc: DiscoveryService, impl } satisfies Binding],
    codes: { NOTHING_HERE: Code.NotFound },
    closers: [{ [Symbol.dispose]: () => logger.info("third is closed") }],
  };
}

async function act(context: ServiceContext, ctx: HandlerContext) {
  switch (ctx.requestHeader.get("x-act")) {
    case "refuse":
      throw new Rejection("NOTHING_HERE", "nothing here");
    case "lose the database":
      throw Object.assign(new Error("connect to 10.0.0.7"), { code: "ECONNREFUSED" });
    case "slow":
      context.logger.info("slow begins");
      await signalled();
      break;
    case "endless":
      context.logger.info("endless begins");
      await new Promise(() => {});
      break;
    case "throw":
      setTimeout(() => {
        throw new Error("stray throw");
      });
      break;
    case "reject":
      void Promise.reject(new Error("stray rejection"));
      break;
    case "pid":
      ctx.responseHeader.set("x-pid", String(process.pid));
      break;
    case "token":
      ctx.responseHeader.set("x-token", await context.token());
      break;
  }
  return {};
}

function signalled(): Promise<void> {
  return new Promise((resolve) => process.once("SIGUSR2", () => resolve()));
}
