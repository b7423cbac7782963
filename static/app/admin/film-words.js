/** What names of subtitle files say, and what people call languages. */

const NAMES = new Intl.DisplayNames(["en"], { type: "language", fallback: "none" });
const SOUNDS = new Set(["sdh", "cc", "hi"]);
const LETTERS = [..."abcdefghijklmnopqrstuvwxyz"];
/** Languages by their English names. @type {Map<string, string>} */
const TAGS = new Map();

/** @param {string} code @returns {string} English name of the language, nothing where it is none */
function nameOf(code) {
  try {
    return NAMES.of(code) ?? "";
  } catch {
    return "";
  }
}

/**
 * @param {string} text a code, or a language's name in English
 * @returns {string} its code; whatever else it is as it was, for the server to judge
 */
export function tagOf(text) {
  if (TAGS.size === 0) {
    for (const code of LETTERS.flatMap((a) => LETTERS.map((b) => a + b))) {
      const [canonical] = Intl.getCanonicalLocales(code);
      const name = nameOf(code).toLowerCase();
      if (name && !TAGS.has(name)) TAGS.set(name, canonical ?? code);
    }
  }
  return TAGS.get(text.trim().toLowerCase()) ?? text.trim();
}

/**
 * What the last words of a file's name say: "film.de.forced.srt" is German and forced. Where the film's own name ends is not
 * known here, so that words are read from behind, as long as they say something.
 * @param {string} file name
 * @returns {{language: string, forced: boolean, sdh: boolean}}
 */
export function saidBy(file) {
  const said = { language: "", forced: false, sdh: false };
  const words = file.replace(/\.[^.]*$/, "").split(".").slice(1).reverse();
  for (const [n, word] of words.entries()) {
    const low = word.toLowerCase();
    if (low === "forced") said.forced = true;
    // "hi" is Hindi where no other language stands before it, else "hearing impaired".
    else if (SOUNDS.has(low) && (low !== "hi" || codeOf(words[n + 1] ?? ""))) said.sdh = true;
    else if (low !== "default") {
      said.language = codeOf(word);
      break;
    }
  }
  return said;
}

/** @param {string} word @returns {string} the code of the language that it says, nothing where it says none */
function codeOf(word) {
  const isCode = /^[a-z]{2,3}([-_][a-z0-9]{2,8})*$/i.test(word) && nameOf(word.replace("_", "-"));
  return isCode || tagOf(word) !== word ? tagOf(word) : "";
}
