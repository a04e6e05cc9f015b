import { type Fault, Rejection } from "@bourse/rpc/rejection";
import validator from "validator";
import { holdsPhoneNumber, isPhoneNumber, namesPhoneNumber } from "./phone-number.ts";

/** What is recognised: obvious personal data, not all that there is. */
export type PersonalDataKind = "EMAIL_ADDRESS" | "PHONE_NUMBER" | "IBAN";

/** Where personal data stands. The path holds none itself. */
export interface PersonalData {
  readonly path: string;
  readonly kind: PersonalDataKind;
}

/**
 * Finds e-mail addresses, phone numbers and IBANs in any text of a JSON value, names of members included, each once
 * per place and kind.
 *
 * Phone numbers are found with a leading `+`, in the grouped forms in which people write them within a country, and as
 * bare digits only where the name of the member says that they are one: ids, amounts, times and digests are digits
 * too. An IBAN must have the right check digits.
 */
export function findPersonalData(value: unknown, path: string): readonly PersonalData[] {
  if (Array.isArray(value) && value.every(isPlainText)) return [];
  return [...walk(value, path, "")];
}

/** The same as faults of a request, for a Rejection INVALID_REQUEST. */
export function personalDataFaults(value: unknown, field: string): readonly Fault[] {
  return findPersonalData(value, field).map(({ path, kind }) => {
    return { field: path, reason: "PERSONAL_DATA", description: `must not hold ${IN_WORDS[kind]}` };
  });
}

/**
 * Refuses a request whose `values` (by field) hold personal data, though they will be told to the lineage.
 * @throws Rejection INVALID_REQUEST that names every place
 */
export function refusePersonalData(values: Readonly<Record<string, unknown>>): void {
  refusePersonalDataFaults(
    Object.entries(values).flatMap(([field, value]) => personalDataFaults(value, field)),
  );
}

/** Refuses a request for such faults, unless there is none. @throws Rejection INVALID_REQUEST that names them all */
export function refusePersonalDataFaults(faults: readonly Fault[]): void {
  if (faults.length === 0) return;
  const text = faults.map(({ field, description }) => `${field} ${description}`).join("; ");
  throw new Rejection("INVALID_REQUEST", text, { faults });
}

const IN_WORDS = {
  EMAIL_ADDRESS: "an e-mail address",
  PHONE_NUMBER: "a phone number",
  IBAN: "an IBAN",
} as const satisfies Record<PersonalDataKind, string>;

function* walk(value: unknown, path: string, name: string): Generator<PersonalData> {
  if (typeof value === "string" || typeof value === "number") {
    for (const kind of kindsIn(value, name)) yield { path, kind };
  } else if (Array.isArray(value)) {
    for (const [nth, item] of value.entries()) {
      if (isPlainText(item)) continue;
      yield* walk(item, `${path}[${nth}]`, name);
    }
  } else if (typeof value === "object" && value !== null) {
    for (const [nth, [key, member]] of Object.entries(value).entries()) {
      const kinds = kindsIn(key, "");
      const inner = `${path}${kinds.length > 0 ? `[name ${nth}]` : step(key)}`;
      for (const kind of kinds) yield { path: inner, kind };
      yield* walk(member, inner, key);
    }
  }
}

const STEP_LENGTH_MAX = 64;

function step(key: string): string {
  if (/^[A-Za-z_][A-Za-z0-9_]{0,63}$/.test(key)) return `.${key}`;
  return `[${JSON.stringify(key.slice(0, STEP_LENGTH_MAX).toWellFormed())}]`;
}

function kindsIn(value: string | number, name: string): readonly PersonalDataKind[] {
  if (typeof value === "number") {
    return namesPhoneNumber(name) && isPhoneNumber(String(value)) ? ["PHONE_NUMBER"] : [];
  }
  if (isPlain(value)) return [];
  // Full-width digits and letters are as readable as plain ones.
  const text = value.normalize("NFKC");
  const kinds: PersonalDataKind[] = [];
  if (holdsEmail(text)) kinds.push("EMAIL_ADDRESS");
  const isNamed = namesPhoneNumber(name) && isPhoneNumber(text);
  if (isNamed || holdsPhoneNumber(text)) kinds.push("PHONE_NUMBER");
  if (holdsIban(text)) kinds.push("IBAN");
  return kinds;
}

function isPlainText(value: unknown): boolean {
  return typeof value === "string" && isPlain(value);
}

/** Whether a text is too short of digits for a number of any kind, and has no `@`: most names and words are. */
function isPlain(text: string): boolean {
  return (
    /^[\x20-?A-~]*$/.test(text) && !/\d(?:\D*\d){4}|(?:^|[^A-Za-z\d])[A-Za-z]{2}\d{2}/.test(text)
  );
}

const EMAIL =
  /[\p{L}\p{N}][\p{L}\p{N}.!#$%&'*+/=?^_`{|}~-]{0,63}@(?:[\p{L}\p{N}-]{1,63}\.){1,8}\p{L}{2,63}/gu;

function holdsEmail(text: string): boolean {
  if (!text.includes("@")) return false;
  return [...text.matchAll(EMAIL)].some(([found]) =>
    validator.isEmail(found, { allow_utf8_local_part: true }),
  );
}

const IBAN_BEGIN = /(?<![\p{L}\p{N}])[A-Za-z]{2}\d{2}(?=[ -]?[A-Za-z0-9])/gu;
const IBAN_LENGTH_MIN = 15;
const IBAN_LENGTH_MAX = 34;

/** Looks at each place where one may begin, and tries each end of a word behind it. */
function holdsIban(text: string): boolean {
  return [...text.matchAll(IBAN_BEGIN)].some(({ index }) => {
    let compact = "";
    for (let at = index; compact.length <= IBAN_LENGTH_MAX; at++) {
      const letter = text[at] ?? "";
      const isPart = /^[A-Za-z0-9]$/.test(letter);
      if (isPart) compact += letter;
      else if (compact.length >= IBAN_LENGTH_MIN && validator.isIBAN(compact.toUpperCase()))
        return true;
      const joins = (letter === " " || letter === "-") && text[at - 1] !== letter;
      if (!isPart && !joins) return false;
    }
    return false;
  });
}
