import { createReadStream } from "node:fs";
import type {
  AgentRecord,
  ImportAgentsRequestSchema,
  ImportAgentsResponse,
} from "@bourse/proto/bourse/registry/v1/bulk_pb.ts";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { Failure, messageOf } from "../failure.ts";
import { openMarket, tellingRefusals } from "../ledger/connection.ts";
import { createFaultList } from "./fault-list.ts";
import { createLeftOut } from "./left-out.ts";
import { linesOf, READERS, type ReadAgent } from "./read.ts";

interface ImportOptions {
  readonly data: string;
  readonly format?: keyof typeof READERS;
  readonly replace?: true;
  readonly stopAtFault?: true;
  readonly check?: true;
  readonly skip: string;
}

type Request = MessageInitShape<typeof ImportAgentsRequestSchema>;

/** Agents of one message, and the bytes after which it is sent sooner: a profile may be large. */
const TOGETHER = 500;
const CHARACTERS = 1024 * 1024;

/** What has been read and sent, and what the market answered for. */
class Progress {
  /** Lines of the agents that were sent and not answered for, by their place in the stream. */
  readonly lines = new Map<number, number>();
  sent = 0;
  read = 0;
  faulty = 0;
  /** How many agents of the file were read when the last answered message was full. */
  answered = 0;
  last: ImportAgentsResponse | undefined;
  readonly faults = createFaultList(console.error);
  readonly leftOut = createLeftOut(console.error);
}

/**
 * `bourse agents import`: sends a file of any size a few agents at a time, and one message at a time, so that neither
 * side holds more. What is wrong with an agent is told by its line and does not stop the others, unless asked; of very
 * many faults the first are told, and their number.
 */
export async function importAgents(file: string, options: ImportOptions): Promise<void> {
  const skip = Number(options.skip);
  if (!Number.isSafeInteger(skip) || skip < 0) throw new Failure("--skip takes a number of agents");
  const progress = new Progress();
  const format = options.format ?? formatOf(file);
  const read = READERS[format](linesOf(open(file)), progress.leftOut);
  await using market = await openMarket(options.data, "operator");
  let answered = Promise.withResolvers<void>();

  async function* requests(): AsyncGenerator<Request> {
    for await (const { agents, lines, read: upTo } of messages(read, skip, progress, options)) {
      const first = progress.sent;
      for (const [nth, line] of lines.entries()) progress.lines.set(first + nth, line);
      progress.sent += agents.length;
      answered = Promise.withResolvers();
      const { replace = false, stopAtFault = false, check = false } = options;
      yield { agents, replaceExisting: replace, stopAtFault, validateOnly: check };
      await answered.promise;
      progress.answered = upTo;
    }
  }

  await tellingRefusals(async () => {
    try {
      for await (const answer of market.registry.importAgents(requests())) {
        report(answer, progress);
        answered.resolve();
      }
    } catch (error) {
      progress.faults.end();
      progress.leftOut.end();
      if (progress.answered > 0) console.error(`go on with --skip ${progress.answered}`);
      throw error;
    }
  });
  summarize(progress, options);
}

interface Filled {
  readonly agents: AgentRecord[];
  readonly lines: number[];
  /** Agents of the file that were read when it was full. */
  readonly read: number;
}

/** The agents that can be sent, in messages; those that cannot are told. */
async function* messages(
  read: AsyncIterable<ReadAgent>,
  skip: number,
  progress: Progress,
  options: ImportOptions,
): AsyncGenerator<Filled> {
  let agents: AgentRecord[] = [];
  let lines: number[] = [];
  let size = 0;
  for await (const agent of read) {
    progress.read++;
    if (progress.read <= skip) continue;
    if ("faults" in agent) {
      progress.faulty++;
      for (const fault of agent.faults) progress.faults.tell(agent.line, fault);
      if (options.stopAtFault) break;
      continue;
    }
    agents.push(agent.record);
    lines.push(agent.line);
    size += (agent.record.profile?.description.length ?? 0) + 500;
    if (agents.length < TOGETHER && size < CHARACTERS) continue;
    yield { agents, lines, read: progress.read };
    [agents, lines, size] = [[], [], 0];
  }
  if (agents.length > 0) yield { agents, lines, read: progress.read };
}

function report(answer: ImportAgentsResponse, progress: Progress): void {
  progress.last = answer;
  for (const { index, agentId, field, reason, description } of answer.faults) {
    const line = progress.lines.get(Number(index));
    progress.faults.tell(line, `${agentId} ${field}: ${description} (${reason})`);
  }
  progress.faults.omit(answer.omittedFaults);
  progress.lines.clear();
}

function summarize(progress: Progress, { check }: ImportOptions): void {
  const { last, faulty, faults, leftOut } = progress;
  faults.end();
  leftOut.end();
  const refused = BigInt(faulty) + (last?.refusedAgents ?? 0n);
  const counts = [
    [last?.registeredAgents, "registered"],
    [last?.replacedAgents, "replaced"],
    [last?.returnedAgents, "returned"],
    [last?.unchangedAgents, "unchanged"],
    [refused, "refused"],
  ].map(([count = 0n, what]) => `${count} ${what}`);
  console.log(`${check ? "would be: " : ""}${counts.join(", ")}`);
  if (refused > 0n || (last?.faults.length ?? 0) > 0) process.exitCode = 1;
}

function formatOf(file: string): keyof typeof READERS {
  return /\.ya?ml$/.test(file) ? "yaml" : "jsonl";
}

async function* open(file: string): AsyncGenerator<string> {
  const stream =
    file === "-" ? process.stdin.setEncoding("utf8") : createReadStream(file, { encoding: "utf8" });
  try {
    for await (const piece of stream) yield piece as string;
  } catch (error) {
    throw new Failure(`cannot read ${file}: ${messageOf(error)}`);
  }
}
