/** An agent is found by so many words at most: those that come first. */
const WORDS_MAX = 128;
/** Of a longer word this much counts. */
const WORD_LENGTH_MAX = 40;

/**
 * The words of some texts as numbers: each once, whatever its case. A word is a run of letters and digits.
 *
 * A number is a hash of 32 bits, so that a word costs four bytes and no list of words is kept: of a hundred million
 * agents about one is found by a word that it does not have.
 */
export function wordsOf(texts: Iterable<string>): readonly number[] {
  const words: number[] = [];
  for (const text of texts) {
    // What is plain needs no tables of letters: it takes a tenth of the time.
    if (isAscii(text)) addPlain(text, words);
    else addAny(text, words);
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

function addPlain(text: string, words: number[]): void {
  let hash = HASH_FIRST;
  let length = 0;
  for (let at = 0; at <= text.length; at += 1) {
    const code = lowered(text.charCodeAt(at));
    if (isLetterOrDigit(code)) {
      length += 1;
      if (length <= WORD_LENGTH_MAX) hash = hashed(hash, code);
      continue;
    }
    if (words.length === WORDS_MAX) return;
    if (length > 0) add(mixed(hash), words);
    hash = HASH_FIRST;
    length = 0;
  }
}

function add(word: number, words: number[]): void {
  if (!words.includes(word)) words.push(word);
}

function isAscii(text: string): boolean {
  for (let at = 0; at < text.length; at += 1) if (text.charCodeAt(at) > 127) return false;
  return true;
}

/** Of ASCII; behind the end of a text it is NaN. */
function lowered(code: number): number {
  return code >= 65 && code <= 90 ? code + 32 : code;
}

function isLetterOrDigit(code: number): boolean {
  return (code >= 97 && code <= 122) || (code >= 48 && code <= 57);
}

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
