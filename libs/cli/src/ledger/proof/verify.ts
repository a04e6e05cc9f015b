import type { VerifyResponse } from "@bourse/proto/bourse/ledger/v1/ledger_service_pb.ts";
import type { VerifyChainResponse } from "@bourse/proto/bourse/ledger/v1/lineage_service_pb.ts";
import pc from "picocolors";
import { newTable } from "../../table.ts";
import { openMarket, tellingRefusals } from "../connection.ts";

interface VerifyOptions {
  readonly data: string;
  readonly json?: boolean;
}

/** Every row is read: minutes for millions of them. */
const TIMEOUT_MS = 3_600_000;

/** `bourse ledger verify`: proves books and journal; exits 1 when something does not hold. */
export function verify({ data, json }: VerifyOptions): Promise<void> {
  return tellingRefusals(async () => {
    await using market = await openMarket(data);
    const options = { timeoutMs: TIMEOUT_MS };
    const [books, chain] = await Promise.all([
      market.ledger.verify({}, options),
      market.lineage.verifyChain({}, options),
    ]);
    if (!books.ok || !chain.ok) process.exitCode = 1;
    if (json) printJson(books, chain);
    else printLines(books, chain);
  });
}

function printJson(books: VerifyResponse, chain: VerifyChainResponse): void {
  const { accounts, movements, transactions } = books;
  const { fault, brokenSequence, entry, detail, headHash, entries } = chain;
  const counts = Object.entries({ accounts, transactions, movements, entries });
  const document = {
    ok: books.ok && chain.ok,
    ...Object.fromEntries(counts.map(([what, count]) => [what, String(count)])),
    divergences: divergencesOf(books),
    journal: {
      ok: chain.ok,
      headHash,
      broken: chain.ok ? null : { fault, batch: String(brokenSequence), entry, detail },
    },
  };
  console.log(JSON.stringify(document, undefined, 2));
}

function printLines(books: VerifyResponse, chain: VerifyChainResponse): void {
  const { accounts, movements, transactions } = books;
  console.log(`${accounts} accounts, ${transactions} transactions, ${movements} movements:`);
  const divergences = divergencesOf(books);
  if (divergences.length === 0) console.log(`  ${pc.green("the books hold")}`);
  else {
    console.log(`  ${pc.red("the books do not hold")}`);
    const table = newTable(["check", "subject", "expected", "found"]);
    for (const { check, subject, expected, found } of divergences) {
      table.push([check, subject, expected, found]);
    }
    console.log(table.toString());
  }
  if (chain.ok) {
    console.log(`${chain.entries} entries of the journal:`);
    console.log(`  ${pc.green("the journal is as it was written")}`);
  } else {
    console.log(`${chain.entries} entries of the journal are as they were written, and then:`);
    const where = `${chain.fault} in batch ${chain.brokenSequence}: ${chain.detail}`;
    console.log(`  ${pc.red("the journal is not as it was written")}: ${where}`);
  }
}

/** Without that of the journal, which is told apart. */
function divergencesOf(books: VerifyResponse) {
  return books.divergences
    .filter(({ check }) => check !== "CHAIN_BROKEN")
    .map(({ $typeName, $unknown, ...divergence }) => divergence);
}
