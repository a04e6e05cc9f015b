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
  const lower = text.toLowerCase();
  let start = 0;
  for (let at = 0; at <= lower.length; at += 1) {
    if (isLetterOrDigit(lower.charCodeAt(at))) continue;
    if (words.length === WORDS_MAX) return;
    if (at > start) add(hashOf(lower.slice(start, Math.min(at, start + WORD_LENGTH_MAX))), words);
    start = at + 1;
  }
}

function add(word: number, words: number[]): void {
  if (!words.includes(word)) words.push(word);
}

function isAscii(text: string): boolean {
  for (let at = 0; at < text.length; at += 1) if (text.charCodeAt(at) > 127) return false;
  return true;
}

/** Of ASCII, in lower case; behind the end of a text is neither. */
function isLetterOrDigit(code: number): boolean {
  return (code >= 97 && code <= 122) || (code >= 48 && code <= 57);
}

/** FNV-1a over UTF-16 code units, as a signed number of 32 bits, mixed so that similar words lie far apart. */
function hashOf(word: string): number {
  let hash = 0x81_1c_9d_c5;
  for (let index = 0; index < word.length; index += 1) {
    hash = Math.imul(hash ^ word.charCodeAt(index), 0x01_00_01_93);
  }
  hash = Math.imul(hash ^ (hash >>> 16), 0x85_eb_ca_6b);
  return hash ^ (hash >>> 13);
}
