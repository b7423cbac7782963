// Runs the edge function as a CDN would: reads {"bindings", "addresses"} from standard input and prints, as JSON, what the
// checker and the worker say of each address, asked for twice, and what the worker's cache holds afterwards.
import { createHmac } from "node:crypto";
import { readFileSync } from "node:fs";
import { judge } from "../../config/edge/ticket.mjs";
import worker from "../../config/edge/worker.mjs";

const kept = new Map();
globalThis.caches = {
  open: async () => ({
    match: async (request) => kept.get(new URL(request.url).pathname)?.clone(),
    put: async (url, response) => void kept.set(new URL(url).pathname, response),
  }),
};

const { bindings, addresses } = JSON.parse(readFileSync(0, "utf8"));
const answers = [];
for (const address of addresses) {
  const work = [];
  const statuses = [];
  let body = "";
  for (let time = 0; time < 2; time += 1) {
    const request = new Request(`https://cdn.example${address}`);
    const response = await worker.fetch(request, bindings, { waitUntil: (promise) => work.push(promise) });
    statuses.push(response.status);
    body = await response.text();
    await Promise.all(work);
  }
  const known = JSON.parse(bindings.EDGE_KEYS);
  const { verdict } = await judge(address, known);
  // As where there is no WebCrypto, and as where sessions that were ended are known.
  const mac = (key, data) => new Uint8Array(createHmac("sha256", key).update(data).digest());
  const { verdict: other } = await judge(address, known, { mac });
  const asked = [];
  const { verdict: ended } = await judge(address, known, { ended: async (session) => asked.push(session) > 0 });
  answers.push({ verdict, other, ended, asked, statuses, body });
}
const fields = [...kept.values()].flatMap((response) => [...response.headers.keys()]);
console.log(JSON.stringify({ answers, kept: [...kept.keys()].sort(), fields: [...new Set(fields)].sort() }));
