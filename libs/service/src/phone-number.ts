import {
  type CountryCode,
  findPhoneNumbersInText,
  parsePhoneNumberFromString,
} from "libphonenumber-js/max";

/** Whether a text holds a phone number in one of the forms that nothing else is written in. */
export function holdsPhoneNumber(text: string): boolean {
  return holdsInternational(text) || NATIONAL.some((form) => holdsNational(text, form));
}

/** Whether all of a text is a phone number, bare digits included: for where one is expected. */
export function isPhoneNumber(text: string): boolean {
  const digits = text.replaceAll(/[\s()./-]/g, "");
  if (!/^\+?\d{7,15}$/.test(digits)) return false;
  const international = digits.startsWith("+") ? digits : `+${digits.replace(/^00/, "")}`;
  return isValid(international) || [...NANP, ...TRUNK].some((country) => isValid(digits, country));
}

/** Whether the name of a member says that it holds a phone number: `contactPhone`, `mobile_number`. */
export function namesPhoneNumber(name: string): boolean {
  const words = name
    .replaceAll(/([a-z\d])([A-Z])/g, "$1 $2")
    .toLowerCase()
    .split(/[^a-z]+/)
    .filter((word) => word !== "" && !NUMBER_WORDS.has(word));
  return PHONE_WORDS.has(words.at(-1) ?? "");
}

const PHONE_WORDS: ReadonlySet<string> = new Set([
  ..."phone phonenumber telephone tel mobile cell cellphone fax whatsapp msisdn".split(" "),
]);
const NUMBER_WORDS: ReadonlySet<string> = new Set(["number", "no", "nr"]);

/** Countries whose numbers are written 3-3-4. */
const NANP = ["US", "CA"] as const satisfies readonly CountryCode[];
/** Countries whose numbers begin with 0 when they are dialled within them. */
const TRUNK = [
  ...["AT", "AU", "BE", "CH", "DE", "FI", "FR", "GB", "IE", "IN", "IT", "JP", "NL", "NZ"],
  ...["SE", "ZA"],
] as readonly CountryCode[];

interface Form {
  readonly pattern: RegExp;
  readonly countries: readonly CountryCode[];
}

/** Not within a word, an id, a date or a number with decimals. */
const BEFORE = String.raw`(?<![\p{L}\p{N}_.:/+#-])`;
const BEHIND = String.raw`(?![\p{L}\p{N}_:/-]|[.,]\d)`;

const NATIONAL: readonly Form[] = [
  // (212) 555-0123, 212-555-0123, 1 212 555 0123
  form(String.raw`(?:1[ .-])?(?:\([2-9]\d{2}\) ?|[2-9]\d{2}[ .-])\d{3}[ .-]\d{4}`, NANP),
  // 030 1234567, 0151-23456789, (020) 7946 0018, 030/1234567, 06 12 34 56 78; no dates
  form(String.raw`(?!\d{1,2}[ /-]\d\d[ /-]\d{4})\(?0\d{1,5}\)?(?:[ /-]\d{2,9}){1,5}`, TRUNK),
  // 06.12.34.56.78
  form(String.raw`0[1-9](?:\.\d\d){4}`, ["FR"]),
  // 612 34 56 78
  form(String.raw`[6789]\d\d(?: \d\d){3}`, ["ES"]),
];

function form(pattern: string, countries: readonly CountryCode[]): Form {
  return { pattern: new RegExp(BEFORE + pattern + BEHIND, "gu"), countries };
}

function holdsInternational(text: string): boolean {
  // 0049 151 12345678: bare digits that begin with 00 are as likely an id.
  const dialled = text.replaceAll(/(?<![\p{L}\p{N}_.:/+#-])00(?=[1-9]\d{0,2}[ /-]\d)/gu, "+");
  if (!dialled.includes("+")) return false;
  return findPhoneNumbersInText(dialled).some(
    ({ startsAt }) =>
      dialled[startsAt] === "+" && !/[\p{L}\p{N}_]/u.test(dialled[startsAt - 1] ?? ""),
  );
}

function holdsNational(text: string, { pattern, countries }: Form): boolean {
  return [...text.matchAll(pattern)].some(([found]) =>
    countries.some((country) => isValid(found, country)),
  );
}

function isValid(text: string, country?: CountryCode): boolean {
  return parsePhoneNumberFromString(text, country)?.isValid() ?? false;
}
