import type { z } from "zod";

/** The environment of a process, or of a test. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** The variables a process reads: one zod schema of a text per name, described for operators. */
export type Shape = Readonly<Record<string, z.ZodType<unknown, string | undefined>>>;

/** The values of a shape. */
export type ConfigOf<S extends Shape> = { readonly [K in keyof S]: z.output<S[K]> };

/** Every variable that is missing or wrong, told at once; the message never contains a value. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
  readonly faults: readonly ConfigFault[];

  constructor(faults: readonly ConfigFault[]) {
    const lines = faults.map(({ variable, problem }) => `  ${variable} ${problem}`);
    super(`the configuration is wrong:\n${lines.join("\n")}`);
    this.faults = faults;
    // Operators read this one: what is wrong, not where in the program it was found.
    this.stack = `${this.name}: ${this.message}`;
  }
}

/** What is wrong with one variable. */
export interface ConfigFault {
  readonly variable: string;
  readonly problem: string;
}

/**
 * Reads the variables of a shape from an environment into a frozen object. An empty variable counts
 * as unset. Throws a ConfigError that names all that are missing or wrong.
 */
export function readConfig<S extends Shape>(shape: S, env: Environment): ConfigOf<S> {
  const values: Record<string, unknown> = {};
  const faults: ConfigFault[] = [];
  for (const [variable, schema] of Object.entries(shape)) {
    const text = env[variable] === "" ? undefined : env[variable];
    const read = schema.safeParse(text);
    if (read.success) {
      values[variable] = read.data;
      continue;
    }
    const state =
      text === undefined
        ? "is missing"
        : `is wrong (${read.error.issues.map((i) => i.message).join("; ")})`;
    const meaning = descriptionOf(schema);
    const problem = meaning === "" ? state : `${state}: ${meaning}`;
    faults.push({ variable, problem });
  }
  if (faults.length > 0) throw new ConfigError(faults);
  return Object.freeze(values) as ConfigOf<S>;
}

/** A variable as documents and deployment tests list it. */
export interface Variable {
  readonly name: string;
  readonly required: boolean;
  /** The value used when the variable is unset, as text; undefined when there is none. */
  readonly default: string | undefined;
  readonly description: string;
}

/** Lists the variables of a shape in the order of their declaration. */
export function variablesOf(shape: Shape): readonly Variable[] {
  return Object.entries(shape).map(([name, schema]) => {
    const unset = schema.safeParse(undefined);
    return {
      name,
      required: !unset.success,
      default: unset.success && unset.data !== undefined ? String(unset.data) : undefined,
      description: descriptionOf(schema),
    };
  });
}

function descriptionOf(schema: z.ZodType): string {
  if (schema.description !== undefined) return schema.description;
  // zod does not carry a description over to the optional or defaulted form of a schema.
  const { innerType } = schema.def as { readonly innerType?: z.ZodType };
  return innerType === undefined ? "" : descriptionOf(innerType);
}
