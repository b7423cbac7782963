/**
 * Writes on their way whose outcome the next page shows: what is asked for afterwards waits for them a moment.
 * @type {Set<Promise<unknown>>}
 */
const pending = new Set();

/** Milliseconds that anything waits at most. */
const PATIENCE = 2000;

/** @param {Promise<unknown>} write */
export function track(write) {
  pending.add(write);
  const done = () => pending.delete(write);
  write.then(done, done);
}

/** Wait until the writes that are on their way have arrived. @returns {Promise<void>} */
export async function settled() {
  if (pending.size === 0) return;
  await Promise.race([Promise.allSettled(pending), new Promise((over) => setTimeout(over, PATIENCE))]);
}
