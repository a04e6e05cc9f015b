import type { DescExtension, DescFile, DescMessage } from "@bufbuild/protobuf";

/** Which file declares what. */
export interface FileIndex {
  readonly byName: ReadonlyMap<string, DescFile>;
  /** By full name of a message, field, oneof, enum, enum value, extension, service or method. */
  readonly bySymbol: ReadonlyMap<string, DescFile>;
  /** By full name of the extended message, then by field number. */
  readonly byExtension: ReadonlyMap<string, ReadonlyMap<number, DescFile>>;
}

/** Indexes files and all that they import. */
export function indexFiles(files: Iterable<DescFile>): FileIndex {
  const byName = new Map<string, DescFile>();
  const bySymbol = new Map<string, DescFile>();
  const byExtension = new Map<string, Map<number, DescFile>>();

  function addFile(file: DescFile): void {
    const name = file.proto.name;
    if (byName.has(name)) return;
    byName.set(name, file);
    for (const message of file.messages) addMessage(file, message);
    for (const each of file.enums) addEnum(file, each);
    for (const extension of file.extensions) addExtension(file, extension);
    for (const service of file.services) {
      bySymbol.set(service.typeName, file);
      for (const method of service.methods) {
        bySymbol.set(`${service.typeName}.${method.name}`, file);
      }
    }
    for (const dependency of file.dependencies) addFile(dependency);
  }

  function addMessage(file: DescFile, message: DescMessage): void {
    bySymbol.set(message.typeName, file);
    for (const member of message.members) {
      bySymbol.set(`${message.typeName}.${member.name}`, file);
    }
    for (const nested of message.nestedMessages) addMessage(file, nested);
    for (const nested of message.nestedEnums) addEnum(file, nested);
    for (const nested of message.nestedExtensions) addExtension(file, nested);
  }

  function addEnum(file: DescFile, desc: DescMessage["nestedEnums"][number]): void {
    bySymbol.set(desc.typeName, file);
    // Values are siblings of their enum, not its children.
    const scope = desc.typeName.slice(0, -desc.name.length);
    for (const value of desc.values) bySymbol.set(`${scope}${value.name}`, file);
  }

  function addExtension(file: DescFile, extension: DescExtension): void {
    bySymbol.set(extension.typeName, file);
    const extended = extension.extendee.typeName;
    const numbers = byExtension.get(extended) ?? new Map<number, DescFile>();
    byExtension.set(extended, numbers.set(extension.number, file));
  }

  for (const file of files) addFile(file);
  return { byName, bySymbol, byExtension };
}
