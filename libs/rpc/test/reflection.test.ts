import { execFile } from "node:child_process";
import { createRequire } from "node:module";
import { promisify } from "node:util";
import { ServerReflection as V1 } from "@bourse/proto/grpc/reflection/v1/reflection_pb.ts";
import { ServerReflection as V1Alpha } from "@bourse/proto/grpc/reflection/v1alpha/reflection_pb.ts";
import { fromBinary } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import { describe, expect, test } from "vitest";
import { client, streamed } from "../src/index.ts";
import { type Notebook, openNotebook } from "./notebook.ts";

type Question = {
  [K in "listServices" | "fileByFilename" | "fileContainingSymbol" | "allExtensionNumbersOfType"]: {
    case: K;
    value: string;
  };
}["listServices" | "fileByFilename" | "fileContainingSymbol" | "allExtensionNumbersOfType"];

async function ask(book: Notebook, version: typeof V1 | typeof V1Alpha, question: Question) {
  const reflection = client(version as typeof V1, book.channel);
  const asked = (async function* () {
    yield { messageRequest: question };
  })();
  for await (const answer of streamed((signal) =>
    reflection.serverReflectionInfo(asked, { signal }),
  )) {
    return answer.messageResponse;
  }
  throw new Error("no answer");
}

function fileNames(answer: Awaited<ReturnType<typeof ask>>): string[] {
  if (answer.case !== "fileDescriptorResponse") throw new Error(`got ${answer.case}`);
  return answer.value.fileDescriptorProto.map(
    (bytes) => fromBinary(FileDescriptorProtoSchema, bytes).name,
  );
}

describe.each([
  ["v1", V1],
  ["v1alpha", V1Alpha],
])("reflection %s", (_, version) => {
  test("lists the services, its own and health included", async () => {
    await using book = await openNotebook();

    const answer = await ask(book, version, { case: "listServices", value: "" });

    expect(answer.value).toMatchObject({
      service: [
        { name: "notes.v1.NoteService" },
        { name: "grpc.health.v1.Health" },
        { name: "grpc.reflection.v1.ServerReflection" },
        { name: "grpc.reflection.v1alpha.ServerReflection" },
      ],
    });
  });

  test.each([
    "notes.v1.NoteService",
    "notes.v1.NoteService.Read",
    "notes.v1.Note",
    "notes.v1.Note.text",
  ])("gives the file of %s with all its imports", async (value) => {
    await using book = await openNotebook();

    const answer = await ask(book, version, { case: "fileContainingSymbol", value });

    const names = fileNames(answer);
    expect(names[0]).toBe("notes/v1/notes.proto");
    expect(new Set(names)).toEqual(
      new Set([
        "notes/v1/notes.proto",
        "buf/validate/validate.proto",
        "google/protobuf/descriptor.proto",
        "google/protobuf/duration.proto",
        "google/protobuf/field_mask.proto",
        "google/protobuf/timestamp.proto",
      ]),
    );
  });

  test("gives the file of the error details, though no service imports it", async () => {
    await using book = await openNotebook();

    const bySymbol = await ask(book, version, {
      case: "fileContainingSymbol",
      value: "google.rpc.ErrorInfo",
    });
    const byName = await ask(book, version, {
      case: "fileByFilename",
      value: "google/rpc/error_details.proto",
    });

    expect(fileNames(bySymbol)).toContain("google/rpc/error_details.proto");
    expect(fileNames(byName)).toEqual(fileNames(bySymbol));
  });

  test("knows the extensions of a message", async () => {
    await using book = await openNotebook();

    const answer = await ask(book, version, {
      case: "allExtensionNumbersOfType",
      value: "google.protobuf.FieldOptions",
    });

    expect(answer.value).toMatchObject({ extensionNumber: expect.arrayContaining([1159]) });
  });

  test("says NOT_FOUND of what it does not know, and goes on", async () => {
    await using book = await openNotebook();

    const answer = await ask(book, version, { case: "fileContainingSymbol", value: "no.Such" });

    expect(answer.value).toMatchObject({ errorCode: 5 });
  });
});

describe("buf curl", () => {
  const run = promisify(execFile);
  const buf = createRequire(import.meta.url).resolve("@bufbuild/buf/bin/buf");
  const curl = (...args: string[]) =>
    run(process.execPath, [buf, "curl", "--protocol", "grpc", "--http2-prior-knowledge", ...args]);

  test("calls a method through reflection and shows an error with its details", async () => {
    await using book = await openNotebook();
    const url = `http://${book.server.address}`;

    const health = await curl(`${url}/grpc.health.v1.Health/Check`);
    const methods = await curl("--list-methods", url);
    const refused = curl("-d", '{"count":-1}', `${url}/notes.v1.NoteService/Read`);

    expect(JSON.parse(health.stdout)).toEqual({ status: "SERVING" });
    expect(methods.stdout).toContain("notes.v1.NoteService/Read");
    await expect(refused).rejects.toMatchObject({
      stderr: expect.stringMatching(/invalid_argument[\s\S]*ErrorInfo[\s\S]*BadRequest/),
    });
  });
});
