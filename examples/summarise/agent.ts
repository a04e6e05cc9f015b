import { setTimeout as pause } from "node:timers/promises";
import { connect, money, runAgent, seconds } from "@bourse/client";
import { loadPackageDefinition, Server, ServerCredentials } from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";

// Serves summaries at an endpoint of its own: `node agent.ts ada`.
const [agentId = "ada"] = process.argv.slice(2);
const contract = loadSync(`${import.meta.dirname}/summariser.proto`, { keepCase: true });
const { Summariser } = loadPackageDefinition(contract).example.summarise.v1;

let callsUnderWay = 0;
const server = new Server();
server.addService(Summariser.service, {
  async Summarise({ request }, answer) {
    callsUnderWay += 1;
    await pause(50); // As if a model were asked.
    callsUnderWay -= 1;
    answer(null, { summary: `${request.text.slice(0, 30)}...`, agent_id: agentId });
  },
});
const port = await new Promise((resolve, reject) => {
  server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, bound) =>
    error ? reject(error) : resolve(bound),
  );
});

const stopping = new AbortController();
process.once("SIGINT", () => stopping.abort());
process.once("SIGTERM", () => stopping.abort());

await using market = connect();
await runAgent({
  market,
  agentId,
  profile: {
    capabilities: ["summarise"],
    endpoint: { uri: `grpc://127.0.0.1:${port}`, protocol: "grpc" },
    pricing: { costPerTask: money("0.02", "EUR") },
    maxConcurrent: 100,
  },
  lease: seconds(5),
  callsUnderWay: () => callsUnderWay,
  signal: stopping.signal,
  onEvent: ({ kind }) => process.stdout.write(`${agentId} ${kind}: process ${process.pid}\n`),
});
server.tryShutdown(() => {});
