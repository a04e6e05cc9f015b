/** An agent is found by so many words at most: those that come first. */
const WORDS_MAX = 128;
/** Of a longer word this much counts. */
const WORD_LENGTH_MAX = 40;

/**
 * The words of some texts as numbers: each once, whatever its case. A word is a run of letters and digits.
 *
 * A number is a hash of 32 bits, so that a word costs four bytes and no list of words is kept: of a hundred million
 * agents about one is found by a word that it does not have.
 *
 * `decoded` makes texts of what is given, where that is not ASCII.
 */
export function wordsOf(
  texts: Iterable<string>,
  decoded: (given: string) => string = String,
): readonly number[] {
  const words: number[] = [];
  for (const text of texts) {
    const before = words.length;
    // What is plain needs no tables of letters: it takes a tenth of the time.
    if (!addPlain(text, words)) {
      words.length = before;
      addAny(decoded(text), words);
    }
    if (words.length === WORDS_MAX) break;
  }
  return words;
}

const WORD = /[\p{L}\p{N}]+/gu;

function addAny(text: string, words: number[]): void {
  for (const [word] of text.normalize("NFKC").toLowerCase().matchAll(WORD)) {
    if (words.length === WORDS_MAX) return;
    add(hashOf(word.slice(0, WORD_LENGTH_MAX)), words);
  }
}

/** False when the text is not ASCII; some of it may be added by then. */
function addPlain(text: string, words: number[]): boolean {
  let hash = HASH_FIRST;
  let length = 0;
  for (let at = 0; at <= text.length; at += 1) {
    const code = at < text.length ? text.charCodeAt(at) : 0;
    if (code > 127) return false;
    const letter = LETTERS[code] ?? 0;
    if (letter > 0) {
      length += 1;
      if (length <= WORD_LENGTH_MAX) hash = hashed(hash, letter);
    } else if (length > 0) {
      if (words.length < WORDS_MAX) add(mixed(hash), words);
      hash = HASH_FIRST;
      length = 0;
    }
  }
  return true;
}

function add(word: number, words: number[]): void {
  if (!words.includes(word)) words.push(word);
}

/** The letters and digits of ASCII by their codes, in lower case; 0 for all else. */
const LETTERS = Uint8Array.from({ length: 128 }, (_, code) => {
  const letter = String.fromCharCode(code).toLowerCase();
  return /[a-z0-9]/.test(letter) ? letter.charCodeAt(0) : 0;
});

/** FNV-1a over UTF-16 code units, as a signed number of 32 bits, mixed so that similar words lie far apart. */
function hashOf(word: string): number {
  let hash = HASH_FIRST;
  for (let index = 0; index < word.length; index += 1) hash = hashed(hash, word.charCodeAt(index));
  return mixed(hash);
}

const HASH_FIRST = 0x81_1c_9d_c5;

function hashed(hash: number, code: number): number {
  return Math.imul(hash ^ code, 0x01_00_01_93);
}

function mixed(hash: number): number {
  const spread = Math.imul(hash ^ (hash >>> 16), 0x85_eb_ca_6b);
  return spread ^ (spread >>> 13);
}
