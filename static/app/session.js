import { forgetAnswers } from "./api/resource.js";
import { get, post } from "./api/client.js";
import { Problem, asProblem } from "./api/problem.js";
import { Store } from "./store.js";

/**
 * Who sits in front of the page.
 * @typedef {{state: "unknown"} | {state: "new"} | {state: "out"} | {state: "broken", problem: Problem}
 *   | {state: "in", account: import("./api/types.js").Account}} Session
 */

/** @type {Store<Session>} */
export const session = new Store(/** @type {Session} */ ({ state: "unknown" }));

/** Ask the server whether somebody is signed in, and, where nobody is, whether it still waits for its owner. */
export async function findSession() {
  try {
    session.set({ state: "in", account: await get("me") });
  } catch (error) {
    const problem = asProblem(error);
    if (problem.status !== 401) session.set({ state: "broken", problem });
    else await findSetup();
  }
}

async function findSetup() {
  try {
    const { needed } = await get("setup");
    session.set({ state: needed ? "new" : "out" });
  } catch (error) {
    session.set({ state: "broken", problem: asProblem(error) });
  }
}

/**
 * Sign in, register or set up: all three answer with a session in cookies.
 * @param {"login" | "register" | "setup"} door
 * @param {Record<string, string>} fields
 * @throws {Problem}
 */
export async function enter(door, fields) {
  await post(door, fields);
  forgetAnswers();
  session.set({ state: "in", account: await get("me") });
}

/** @param {import("./api/types.js").Account} account as the server now has it */
export function accountChanged(account) {
  session.set({ state: "in", account });
}

/** The session is over, whoever ended it. */
export function signedOut() {
  if (session.value.state !== "in") return;
  forgetAnswers();
  session.set({ state: "out" });
}

/** Sign out here. Works without the server too: the cookies then end with their time. */
export async function leave() {
  try {
    await post("logout");
  } finally {
    signedOut();
  }
}
