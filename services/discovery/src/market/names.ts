import { apart } from "@bourse/roster/wire";

/** Numbers for texts that occur often. A text has its number as long as somebody holds it; 0 is never given. */
export class Names {
  readonly #numbers = new Map<string, number>();
  readonly #texts: (string | undefined)[] = [undefined];
  readonly #holds: number[] = [0];
  readonly #free: number[] = [];
  #ranks: Map<string, number> | undefined;

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

  /** Where a text that somebody holds stands in the order of all that are held; to be asked where they are few. */
  rankOf(number: number): number {
    this.#ranks ??= new Map([...this.#numbers.keys()].sort().map((text, rank) => [text, rank]));
    return this.#ranks.get(this.textOf(number)) ?? 0;
  }

  /** Holds a text: its number stays until as many release it as hold it. */
  hold(text: string): number {
    const known = this.#numbers.get(text);
    const number = known ?? this.#free.pop() ?? this.#texts.length;
    if (known === undefined) {
      this.#ranks = undefined;
      const own = apart(text);
      this.#numbers.set(own, number);
      this.#texts[number] = own;
      this.#holds[number] = 0;
    }
    this.#holds[number] = (this.#holds[number] ?? 0) + 1;
    return number;
  }

  release(number: number): void {
    const left = (this.#holds[number] ?? 0) - 1;
    this.#holds[number] = left;
    if (left > 0) return;
    this.#ranks = undefined;
    this.#numbers.delete(this.textOf(number));
    this.#texts[number] = undefined;
    this.#free.push(number);
  }
}
