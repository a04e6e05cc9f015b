import { Command, InvalidArgumentError } from "commander";

/**
 * The command line of `bourse bench <name>` with what every bench takes. `complain` is told what
 * is wrong, as text for people.
 */
export function benchCommand(
  name: string,
  description: string,
  complain: (text: string) => void = (text) => void process.stderr.write(text),
): Command {
  return new Command(`bourse bench ${name}`)
    .description(description)
    .option("--json", "print one JSON document instead of tables")
    .option("--check", "exit 1 when a figure falls short of its bar")
    .option("--quick", "everything short and small: shows that it works, not how fast it is")
    .allowExcessArguments(false)
    .showHelpAfterError("(--help tells more)")
    .configureOutput({ writeErr: complain })
    .exitOverride();
}

/** Reads a whole number from 1 on. */
export function count(text: string): number {
  const number = Number(text);
  if (Number.isSafeInteger(number) && number >= 1) return number;
  throw new InvalidArgumentError("It must be a whole number from 1 on.");
}

/** Reads whole numbers with commas between. */
export function counts(text: string): readonly number[] {
  return text.split(",").map(count);
}

/** Reads names out of `all` with commas between; they come back in the order of `all`. */
export function someOf<T extends string>(all: readonly T[]): (text: string) => readonly T[] {
  return (text) => {
    const wanted = text.split(",");
    const strange = wanted.filter((name) => !all.some((one) => one === name));
    if (strange.length > 0) throw new InvalidArgumentError(`There is no ${strange.join(", ")}.`);
    return all.filter((name) => wanted.includes(name));
  };
}
