import { connect, minutes, money, runAgent } from "@bourse/client";

await using market = connect();
await runAgent({
  market,
  agentId: "summarizer",
  profile: { displayName: "Summarizer", capabilities: ["text.summary"] },
  bid(task) {
    const words = String(task.spec?.payload?.["text"] ?? "").split(" ").length;
    if (words > 100_000) return { decline: "longer than I can read" };
    return { price: money("0.25", "EUR"), latency: minutes(1), successRate: 0.97 };
  },
  work(task) {
    const text = String(task.spec?.payload?.["text"] ?? "");
    return { output: { summary: `${text.slice(0, 200)}...` } };
  },
  onEvent: (event) => process.stdout.write(`${event.kind}\n`),
});
