import { ruleFaults } from "@bourse/access";
import { LIBRARY_CODES } from "@bourse/rpc";
import type { DescFile, DescService } from "@bufbuild/protobuf";
import { describe, expect, test } from "vitest";
import {
  commentFaults,
  describedRpcs,
  namedReasons,
  tableReasons,
  thrownReasons,
} from "./contracts.ts";
import { allPaths, isTest, isTypeScript, readFiles, readText, told } from "./tree.ts";

const protos = readFiles((path) => /^proto\/bourse\/.*\.proto$/.test(path));
const paths = new Set(allPaths());

/** Reasons that any call may be refused with, whatever its contract names. */
const EVERYWHERE: ReadonlySet<string> = new Set([
  ...Object.keys(LIBRARY_CODES),
  "REQUEST_ID_REUSED",
  "STARTING",
  "DATABASE_UNAVAILABLE",
]);

describe("an RPC", () => {
  test("has an access rule, and each agent field of it exists in the request", async () => {
    const services = await contracts();

    expect(ruleFaults(services)).toEqual([]);
    expect(services.length).toBeGreaterThanOrEqual(5);
  });

  test("that takes a request_id is declared idempotent", async () => {
    const undeclared = (await contracts()).flatMap((service) =>
      service.methods
        .filter((method) => method.methodKind === "unary" && takesRequestId(method.input))
        .filter((method) => method.idempotency === 0)
        .map((method) => `${service.typeName}/${method.name}`),
    );

    expect(undeclared).toEqual([]);
  });

  test('has a comment; where it refuses, that lists the reasons as "Refuses with: ..."', () => {
    expect(told(protos.flatMap(commentFaults))).toEqual([]);
  });
});

describe.each(servicesWithContracts())("the reasons of %s", (service) => {
  const contract = protos.filter(({ path }) => path.startsWith(`proto/bourse/${service}/`));
  const tablePath = `services/${service}/src/rejections.ts`;
  const table = paths.has(tablePath) ? tableReasons(readText(tablePath)) : [];

  test("that its RPCs promise are in its table", () => {
    const promised = contract.flatMap(describedRpcs).flatMap((rpc) => rpc.reasons);

    const missing = new Set(promised.filter((r) => !table.includes(r) && !EVERYWHERE.has(r)));

    expect([...missing]).toEqual([]);
  });

  test("that stand in its table are told in its contract", () => {
    const known = new Set(contract.flatMap((file) => [...namedReasons(file)]));

    expect(table.filter((reason) => !known.has(reason) && !EVERYWHERE.has(reason))).toEqual([]);
  });

  test("that its sources refuse with are in its table", () => {
    const sources = readFiles(
      (path) => path.startsWith(`services/${service}/src/`) && isTypeScript(path) && !isTest(path),
    );

    const unknown = sources.flatMap((file) =>
      thrownReasons(file)
        .filter(({ reason }) => !table.includes(reason) && !EVERYWHERE.has(reason))
        .map(({ reason, line }) => ({ path: file.path, line, problem: `refuses with ${reason}` })),
    );

    expect(told(unknown)).toEqual([]);
  });
});

describe("the check of contracts", () => {
  const proto = (comment: string) => ({
    path: "a.proto",
    text: `service A {\n${comment}\n  rpc GetBid(GetBidRequest) returns (GetBidResponse) {}\n}\n`,
  });

  test("reads the reasons of a comment without what explains them", () => {
    const [rpc] = describedRpcs(
      proto(
        [
          "  // Gets it, like NO_OTHER.",
          "  // Refuses with: BID_GONE (not BID_LOST; see A_B), BID_OLD,",
          "  // BID_NEW. After BID_THEN.",
        ].join("\n"),
      ),
    );

    expect(rpc?.reasons).toEqual(["BID_GONE", "BID_OLD", "BID_NEW"]);
  });

  test.each([
    ["no comment", ""],
    ["reasons without a colon", "  // Refuses with BID_GONE."],
    ["a reason named twice", "  // Refuses with: BID_GONE, BID_GONE."],
    ["two lists", "  // Refuses with: BID_GONE.\n  // Refuses with: BID_OLD."],
  ])("finds %s", (_what, comment) => {
    expect(commentFaults(proto(comment))).not.toEqual([]);
  });

  test("reads the table and what sources refuse with", () => {
    const table = { path: "a.ts", text: "const c = { BID_GONE: Code.NotFound, x: 1 };" };
    const source = { path: "b.ts", text: 'throw new Rejection(a ? "BID_A" : "BID_B", "gone");' };

    expect(tableReasons(table)).toEqual(["BID_GONE"]);
    expect(thrownReasons(source).map(({ reason }) => reason)).toEqual(["BID_A", "BID_B"]);
  });
});

/** The folders of services/ that a contract is named after. */
function servicesWithContracts(): readonly string[] {
  const names = protos
    .filter(({ text }) => /^service /m.test(text))
    .map(({ path }) => path.split("/")[2] ?? "");
  return [...new Set(names)];
}

async function contracts(): Promise<readonly DescService[]> {
  const generated = [...paths].filter((path) => /^proto\/gen\/bourse\/.*_pb\.ts$/.test(path));
  const modules = await Promise.all(
    generated.map(
      (path): Promise<Record<string, unknown>> =>
        import(/* @vite-ignore */ `@bourse/proto/${path.slice("proto/gen/".length)}`),
    ),
  );
  return modules
    .flatMap((module) => Object.values(module).filter(isFile))
    .flatMap((f) => f.services);
}

function isFile(value: unknown): value is DescFile {
  return typeof value === "object" && value !== null && "kind" in value && value.kind === "file";
}

function takesRequestId(input: DescService["methods"][number]["input"]): boolean {
  return input.fields.some((field) => field.name === "request_id");
}
