import { file_google_rpc_error_details } from "@bourse/proto/google/rpc/error_details_pb.ts";
import { file_google_rpc_status } from "@bourse/proto/google/rpc/status_pb.ts";
import {
  type ServerReflectionRequest,
  ServerReflection as V1,
} from "@bourse/proto/grpc/reflection/v1/reflection_pb.ts";
import { ServerReflection as V1Alpha } from "@bourse/proto/grpc/reflection/v1alpha/reflection_pb.ts";
import { type DescFile, type DescService, toBinary } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import { Code } from "@connectrpc/connect";
import { type Binding, bind } from "./binding.ts";
import { indexFiles } from "./symbols.ts";

/** Both versions ask the same questions with the same fields. */
type Question = ServerReflectionRequest["messageRequest"];

/** Serves reflection v1 and v1alpha for the given services and for every file they import. */
export function createReflection(services: readonly DescService[]): Binding[] {
  const all = [...services, V1, V1Alpha];
  const files = [...all.map((service) => service.file), ...ALWAYS];
  const index = indexFiles(files);
  const listed = all.map((service) => ({ name: service.typeName }));

  function answer(question: Question) {
    switch (question.case) {
      case "listServices":
        return { case: "listServicesResponse" as const, value: { service: listed } };
      case "fileByFilename":
        return withImports(index.byName.get(question.value), question.value);
      case "fileContainingSymbol":
        return withImports(index.bySymbol.get(question.value), question.value);
      case "fileContainingExtension": {
        const { containingType, extensionNumber } = question.value;
        const file = index.byExtension.get(containingType)?.get(extensionNumber);
        return withImports(file, `${containingType} extension ${extensionNumber}`);
      }
      case "allExtensionNumbersOfType": {
        const numbers = index.byExtension.get(question.value);
        if (numbers === undefined && !index.bySymbol.has(question.value)) {
          return notFound(question.value);
        }
        const value = {
          baseTypeName: question.value,
          extensionNumber: [...(numbers?.keys() ?? [])].sort((a, b) => a - b),
        };
        return { case: "allExtensionNumbersResponse" as const, value };
      }
      default:
        return refused(Code.InvalidArgument, "the request asks nothing");
    }
  }

  async function* serverReflectionInfo(requests: AsyncIterable<Asked>) {
    for await (const { host, messageRequest } of requests) {
      const originalRequest = { host, messageRequest } as ServerReflectionRequest;
      yield { validHost: host, originalRequest, messageResponse: answer(messageRequest) };
    }
  }
  return [
    bind(V1, { serverReflectionInfo }),
    // The field types differ by name only.
    bind(V1Alpha, { serverReflectionInfo: serverReflectionInfo as never }),
  ];
}

interface Asked {
  readonly host: string;
  readonly messageRequest: Question;
}

/** What a client needs to read the details of an error, though no service imports it. */
const ALWAYS: readonly DescFile[] = [file_google_rpc_error_details, file_google_rpc_status];

function withImports(file: DescFile | undefined, asked: string) {
  if (file === undefined) return notFound(asked);
  const fileDescriptorProto = [...closure(file)].map((each) =>
    toBinary(FileDescriptorProtoSchema, each.proto),
  );
  return { case: "fileDescriptorResponse" as const, value: { fileDescriptorProto } };
}

function closure(file: DescFile, into = new Set<DescFile>()): Set<DescFile> {
  if (into.has(file)) return into;
  into.add(file);
  for (const dependency of file.dependencies) closure(dependency, into);
  return into;
}

function notFound(asked: string) {
  return refused(Code.NotFound, `not found: ${asked}`);
}

function refused(errorCode: number, errorMessage: string) {
  return { case: "errorResponse" as const, value: { errorCode, errorMessage } };
}
