/** Milliseconds: the first wait, the longest, and the quiet after which patience begins anew. */
const FIRST = 1500;
const LONGEST = 30_000;
const FORGET = 60_000;

let wait = FIRST;
let last = 0;

/** @returns {number} milliseconds to wait before a server that is away is asked again: twice as long each time */
export function waitBefore() {
  const now = Date.now();
  wait = now - last > wait + FORGET ? FIRST : Math.min(LONGEST, wait * 2);
  last = now;
  return wait;
}
