/**
 * An edge function as Cloudflare Workers run it; Fastly Compute, Deno and others need little else. It expects the bindings
 * EDGE_KEYS (what `ottserver edge-keys` prints) and ORIGIN (where ottserver is, such as https://origin.example).
 */

import { judge } from "./ticket.mjs";

/** @typedef {{EDGE_KEYS: string, ORIGIN: string}} Bindings */

/** Header fields that are true of one answer, not of the bytes. */
const OF_ONE_ANSWER = ["CMSD-Dynamic", "X-Request-Id"];
const REFUSED = {
  type: "about:blank",
  title: "Not allowed",
  status: 403,
  detail: "This media address is not, or no longer, good. Ask /api/v1/play for a new one.",
};

export default {
  /**
   * @param {Request} request
   * @param {Bindings} bindings
   * @param {{waitUntil: (work: Promise<unknown>) => void}} context
   */
  async fetch(request, bindings, context) {
    // Dots were resolved by now; what is judged, kept and fetched is the same resolved address.
    const url = new URL(request.url);
    const address = new URL(url.pathname + url.search, bindings.ORIGIN);
    const own = () => fetch(new Request(address, request), { redirect: "manual" });
    if (!url.pathname.startsWith("/media/") || request.method !== "GET") return own();
    const verdict = await judge(url.pathname, JSON.parse(bindings.EDGE_KEYS));
    if (verdict.verdict === "ask") return own();
    if (verdict.verdict === "refuse") {
      const headers = { "Content-Type": "application/problem+json", "Cache-Control": "no-store" };
      return new Response(JSON.stringify(REFUSED), { status: 403, headers });
    }
    // Under its name without the ticket. The cache answers ranges and conditions from the whole.
    const name = new URL(`/kept/${verdict.key}`, url);
    const store = await caches.open("segments");
    const kept = await store.match(new Request(name, { headers: conditions(request) }));
    if (kept) return kept;
    const whole = await fetch(address);
    if (whole.status !== 200) return whole;
    const copy = new Response(whole.clone().body, whole);
    for (const field of OF_ONE_ANSWER) copy.headers.delete(field);
    context.waitUntil(store.put(name, copy));
    return whole;
  },
};

/** @param {Request} request */
function conditions(request) {
  const headers = new Headers();
  for (const name of ["Range", "If-Range", "If-None-Match"]) {
    const value = request.headers.get(name);
    if (value !== null) headers.set(name, value);
  }
  return headers;
}
