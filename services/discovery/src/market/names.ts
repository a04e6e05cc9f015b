import { apart } from "@bourse/roster/wire";

/** Numbers for texts that occur often. A text has its number as long as somebody holds it; 0 is never given. */
export class Names {
  readonly #numbers = new Map<string, number>();
  readonly #texts: (string | undefined)[] = [undefined];
  readonly #holds: number[] = [0];
  readonly #free: number[] = [];
  readonly #ranks: number[] = [0];

  /** How many texts are held. */
  get size(): number {
    return this.#numbers.size;
  }

  /** One more than the largest number that was ever given. */
  get end(): number {
    return this.#texts.length;
  }

  /** The number of a text; undefined when nobody holds it. */
  find(text: string): number | undefined {
    return this.#numbers.get(text);
  }

  /** The text of a number that somebody holds. */
  textOf(number: number): string {
    return this.#texts[number] ?? "";
  }

  /** A number that stands in the order of texts as far as their first six characters tell, whoever else is held. */
  rankOf(number: number): number {
    return this.#ranks[number] as number;
  }

  /** Holds a text: its number stays until as many release it as hold it. */
  hold(text: string): number {
    const known = this.#numbers.get(text);
    const number = known ?? this.#free.pop() ?? this.#texts.length;
    if (known === undefined) {
      const own = apart(text);
      this.#numbers.set(own, number);
      this.#texts[number] = own;
      this.#ranks[number] = rankOf(own);
      this.#holds[number] = 0;
    }
    this.#holds[number] = (this.#holds[number] ?? 0) + 1;
    return number;
  }

  release(number: number): void {
    const left = (this.#holds[number] ?? 0) - 1;
    this.#holds[number] = left;
    if (left > 0) return;
    this.#numbers.delete(this.textOf(number));
    this.#texts[number] = undefined;
    this.#free.push(number);
  }
}

const RANKED = 6;

function rankOf(text: string): number {
  let rank = 0;
  for (let at = 0; at < RANKED; at += 1) {
    rank = rank * 256 + (at < text.length ? Math.min(text.charCodeAt(at), 255) : 0);
  }
  return rank;
}
