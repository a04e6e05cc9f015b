import { readFileSync } from "node:fs";
import { createServer } from "node:net";
import { expect, test } from "vitest";
import { freePort, freePorts } from "../src/free-ports.ts";

test("free ports can be listened on, each once, all at the same time", async () => {
  const ports = await freePorts(20);

  expect(new Set(ports).size).toBe(20);
  await using stack = new AsyncDisposableStack();
  for (const port of ports) {
    const server = stack.use(createServer());
    await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  }
});

test.runIf(process.platform === "linux")(
  "a free port is none that the system gives to an outgoing connection",
  async () => {
    const [first] = readFileSync("/proc/sys/net/ipv4/ip_local_port_range", "utf8").split(/\s/);

    expect(await freePort()).toBeLessThan(Number(first));
  },
);
