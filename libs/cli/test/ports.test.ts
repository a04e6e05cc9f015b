import { createServer } from "node:net";
import { expect, test } from "vitest";
import { choosePorts, requireFree, SERVICE_NAMES } from "../src/market/ports.ts";

test("services take four ports in a row from 7401, and their metrics those 2000 above", async () => {
  const ports = await choosePorts(undefined);

  expect(ports).toEqual({
    registry: { rpc: 7401, metrics: 9401 },
    auction: { rpc: 7402, metrics: 9402 },
    ledger: { rpc: 7403, metrics: 9403 },
    discovery: { rpc: 7404, metrics: 9404 },
  });
});

test("auto takes free ports, each once", async () => {
  const ports = await choosePorts("auto");

  const numbers = SERVICE_NAMES.flatMap((name) => [ports[name].rpc, ports[name].metrics]);
  expect(new Set(numbers).size).toBe(8);
  await expect(requireFree(ports)).resolves.toBeUndefined();
});

test.each(["0", "80", "65000", "7401.5", "many", ""])("--ports %j is refused", async (option) => {
  await expect(choosePorts(option)).rejects.toThrow(/--ports takes a first port/);
});

test("every taken port is named with its service", async () => {
  const ports = await choosePorts("auto");
  const servers = [ports.auction.rpc, ports.ledger.metrics].map((port) =>
    createServer().listen(port, "127.0.0.1"),
  );
  await Promise.all(servers.map((server) => new Promise((done) => server.once("listening", done))));

  await expect(requireFree(ports)).rejects.toThrow(
    new RegExp(`${ports.auction.rpc} \\(auction\\), ${ports.ledger.metrics} \\(ledger\\)`),
  );
  for (const server of servers) server.close();
});
