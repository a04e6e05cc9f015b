import { setTimeout as pause } from "node:timers/promises";
import { connect, routeByCapability } from "@bourse/client";
import { credentials, loadPackageDefinition } from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";

// Calls whoever can summarise, four times a second, with an ordinary stub.
const target = process.argv[2] ?? "bourse:///summarise?max_cost=0.25EUR";
const contract = loadSync(`${import.meta.dirname}/summariser.proto`, { keepCase: true });
const { Summariser } = loadPackageDefinition(contract).example.summarise.v1;

await using market = connect();
await using _ = routeByCapability({
  market,
  onEvent: (event) => event.kind === "failed" && process.stdout.write(`${event.agentId} failed\n`),
});
const stub = new Summariser(target, credentials.createInsecure());

let calling = true;
for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => (calling = false));
while (calling) {
  const answer = await new Promise((resolve) => {
    const deadline = Date.now() + 2_000;
    stub.Summarise(
      { text: "Call me Ishmael. Some years ago..." },
      { deadline },
      (error, response) =>
        resolve(error ? error.message : `${response.agent_id}: ${response.summary}`),
    );
  });
  process.stdout.write(`${answer}\n`);
  await pause(250);
}
stub.close();
