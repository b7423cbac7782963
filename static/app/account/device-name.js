/** Parts of a User-Agent header (RFC 9110, section 10.1.5) by what people call them; the first that fits counts. */
const PROGRAMS = /** @type {[RegExp, string][]} */ ([
  [/Edg(e|A|iOS)?\//, "Edge"],
  [/OPR\//, "Opera"],
  [/Firefox\/|FxiOS\//, "Firefox"],
  [/Chrome\/|CriOS\//, "Chrome"],
  [/Safari\//, "Safari"],
]);
const SYSTEMS = /** @type {[RegExp, string][]} */ ([
  [/iPhone/, "iPhone"],
  [/iPad/, "iPad"],
  [/Android/, "Android"],
  [/Windows/, "Windows"],
  [/Mac OS X|Macintosh/, "Mac"],
  [/CrOS/, "Chromebook"],
  [/Linux|X11/, "Linux"],
]);

/**
 * @param {string} userAgent
 * @returns {string} such as "Firefox on Windows"; the first word of what names itself otherwise
 */
export function deviceName(userAgent) {
  const named = (/** @type {[RegExp, string][]} */ list) => list.find(([pattern]) => pattern.test(userAgent))?.[1];
  const [program, system] = [named(PROGRAMS), named(SYSTEMS)];
  if (program && system) return `${program} on ${system}`;
  return program ?? system ?? (userAgent.split(/[/\s]/)[0] || "A device");
}
