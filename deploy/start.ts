import { access } from "node:fs/promises";

const SERVICES = ["registry", "auction", "ledger", "discovery"];
const TOOLS = ["probe", "keys", "token"];

/** Runs what the first argument names: a service, or a tool of this folder with the other arguments. */
const [, , name = "", ...rest] = process.argv;
const target = SERVICES.includes(name)
  ? new URL(`../services/${name}/src/main.ts`, import.meta.url)
  : new URL(`${name}.ts`, import.meta.url);

if (!SERVICES.includes(name) && !TOOLS.includes(name)) {
  process.stderr.write(`usage: ${[...SERVICES, ...TOOLS].join(" | ")}\n`);
  process.exitCode = 2;
} else {
  await access(target);
  process.argv = [process.execPath, target.pathname, ...rest];
  await import(target.href);
}
