import { once } from "node:events";
import { connect } from "node:net";
import { afterAll, beforeAll, expect, test } from "vitest";
import { refuse } from "../../src/refusal.ts";
import type { Facilitator } from "../../src/x402/facilitator.ts";
import { type FinishedRequest, serveFacilitator } from "../../src/x402/http.ts";
import { startPort, type TestPort } from "./port.ts";
import { requestOf, walletOf } from "./vectors.ts";

let port: TestPort;
beforeAll(async () => {
  port = await startPort();
});
afterAll(() => port[Symbol.asyncDispose]());

const NOTHING = { success: false, transaction: "", network: "" };

test.each([
  ["/verify", "no JSON", { isValid: false, invalidReason: "invalid_payload" }],
  ["/verify", "", { isValid: false, invalidReason: "invalid_payload" }],
  ["/verify", [], { isValid: false, invalidReason: "invalid_payload" }],
  ["/verify", null, { isValid: false, invalidReason: "invalid_payload" }],
  ["/verify", {}, { isValid: false, invalidReason: "invalid_x402_version" }],
  ["/settle", "{", { ...NOTHING, errorReason: "invalid_payload" }],
  ["/settle", { x402Version: 2 }, { ...NOTHING, errorReason: "invalid_x402_version" }],
  [
    "/settle",
    { x402Version: 2, paymentPayload: { x402Version: 2 }, paymentRequirements: {} },
    { ...NOTHING, errorReason: "invalid_payment_requirements" },
  ],
])("POST %s of what is no request is 400: %j", async (path, body, answered) => {
  const { status, body: found } = await port.post(path, body);

  expect(status).toBe(400);
  expect(found).toMatchObject(answered);
});

test("each fault of a misshapen request is named by its member", async () => {
  const request = requestOf(walletOf());
  Object.assign(request.paymentRequirements, { amount: "1.5", payTo: "bob" });

  const { body } = await port.post("/verify", request);

  expect(body["invalidMessage"]).toBe(
    "paymentRequirements.amount: must be a decimal number; " +
      "paymentRequirements.payTo: must be an address: 0x and 40 hex digits",
  );
});

test("a verdict is 200, also when it is no", async () => {
  const { status, body } = await port.post("/verify", requestOf(walletOf("0a".repeat(32))));

  expect([status, body["invalidReason"]]).toEqual([200, "insufficient_funds"]);
});

test("more than 64 KiB is 413, also before all of it is sent", async () => {
  const long = JSON.stringify({ text: "x".repeat(64 * 1_024) });
  const { status, body } = await port.post("/settle", long);
  expect([status, body["errorReason"]]).toEqual([413, "invalid_payload"]);

  const { hostname, port: number } = new URL(port.url);
  const socket = connect(Number(number), hostname).setEncoding("utf8");
  const head = "POST /verify HTTP/1.1\r\nhost: x\r\ncontent-length: 9000000\r\n\r\n";
  socket.write(head + "x".repeat(100_000));
  const [answer] = (await once(socket, "data")) as [string];
  socket.destroy();
  expect(answer).toMatch(/^HTTP\/1.1 413 .*"invalidReason":"invalid_payload"\}$/s);
});

test.each([
  ["GET", "/verify", 405, "POST"],
  ["PUT", "/settle", 405, "POST"],
  ["POST", "/supported", 405, "GET"],
  ["GET", "/", 404, null],
  ["POST", "/settle/", 404, null],
  ["POST", "/VERIFY", 404, null],
])("%s %s is %i", async (method, path, status, allowed) => {
  const response = await fetch(`${port.url}${path}`, { method });

  expect([response.status, response.headers.get("allow")]).toEqual([status, allowed]);
  expect(response.headers.get("content-type")).toMatch(/^application\/json/);
});

test("a query after the path changes nothing", async () => {
  expect((await fetch(`${port.url}/supported?since=yesterday`)).status).toBe(200);
});

test("a caller who goes away in the middle is no error of ours", async () => {
  const { hostname, port: number } = new URL(port.url);
  const before = port.finished.length;
  const socket = connect(Number(number), hostname);
  await once(socket, "connect");
  socket.write("POST /settle HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{");
  await once(socket.resetAndDestroy(), "close");

  await expect.poll(() => port.finished.length).toBe(before + 1);
  expect(port.finished.at(-1)).toMatchObject({ operation: "settle", outcome: "aborted" });
  expect(port.finished.at(-1)).not.toHaveProperty("error");
});

test("each request is told of once, by its operation and what was answered", async () => {
  const before = port.finished.length;
  await port.post("/verify", requestOf(walletOf("0b".repeat(32))));
  await port.post("/settle", {});
  await fetch(`${port.url}/supported`);
  await fetch(`${port.url}/secret`);

  await expect.poll(() => port.finished.length).toBe(before + 4);
  expect(port.finished.slice(before).map(({ operation, outcome }) => [operation, outcome])).toEqual(
    [
      ["verify", "insufficient_funds"],
      ["settle", "invalid_x402_version"],
      ["supported", "ok"],
      ["other", "404"],
    ],
  );
});

test("a ledger that is busy is 503 to try again, and a bug 500 that tells nothing", async () => {
  const busy = refuse("LEDGER_BUSY", "the ledger has too much to do", { retryAfterMs: 200 });
  const bug = new Error("secret");
  const facilitator: Facilitator = {
    verify: () => Promise.reject(bug),
    settle: () => Promise.reject(busy),
    supported: () => ({ kinds: [], extensions: [], signers: {} }),
  };
  const finished: FinishedRequest[] = [];
  const onFinished = (request: FinishedRequest) => finished.push(request);
  await using failing = await serveFacilitator({ listen: "127.0.0.1:0", facilitator, onFinished });
  const ask = (path: string) =>
    fetch(`http://${failing.address}${path}`, { method: "POST", body: "{}" });

  const settled = await ask("/settle");
  expect([settled.status, settled.headers.get("retry-after")]).toEqual([503, "1"]);
  expect(await settled.json()).toEqual({ ...NOTHING, errorReason: "unexpected_settle_error" });

  const verified = await ask("/verify");
  expect(verified.status).toBe(500);
  expect(await verified.json()).toEqual({
    isValid: false,
    invalidReason: "unexpected_verify_error",
  });
  expect(finished.map(({ error }) => error)).toEqual([undefined, bug]);
});

test("what is in flight is answered before the port closes", async () => {
  const begun = Promise.withResolvers<void>();
  const freed = Promise.withResolvers<void>();
  const facilitator: Facilitator = {
    async verify() {
      begun.resolve();
      await freed.promise;
      return { body: { isValid: true }, fault: undefined };
    },
    settle: () => Promise.reject(new Error("not asked for")),
    supported: () => ({ kinds: [], extensions: [], signers: {} }),
  };
  const closing = await serveFacilitator({
    listen: "127.0.0.1:0",
    facilitator,
    onFinished: () => {},
  });
  const url = `http://${closing.address}`;
  const asked = fetch(`${url}/verify`, { method: "POST", body: "{}" });
  await begun.promise;

  const closed = closing[Symbol.asyncDispose]();
  await expect(fetch(`${url}/supported`)).rejects.toThrow();
  freed.resolve();

  expect(await (await asked).json()).toEqual({ isValid: true });
  await closed;
});

test("an answer repeats a network and an address, but not whatever was sent", async () => {
  const request = requestOf(walletOf());
  const odd = structuredClone(request);
  Object.assign(odd.paymentRequirements, { network: "<script>", amount: "x" });
  Object.assign(odd.paymentPayload.payload["authorization"] as object, { from: "<script>" });

  expect((await port.post("/settle", odd)).body).toMatchObject({ network: "" });
  expect((await port.post("/settle", odd)).body).not.toHaveProperty("payer");
  Object.assign(request.paymentRequirements, { amount: "x" });
  expect((await port.post("/settle", request)).body).toMatchObject({
    network: "eip155:84532",
    payer: walletOf().address,
  });
});

test("a port that is taken is said to be", async () => {
  const listen = new URL(port.url).host;
  const facilitator = {} as Facilitator;

  await expect(serveFacilitator({ listen, facilitator, onFinished: () => {} })).rejects.toThrow(
    `cannot serve x402 on ${listen}: the port is taken`,
  );
});
