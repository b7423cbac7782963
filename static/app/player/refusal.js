import { Store } from "../store.js";

/**
 * The film that was refused for want of a plan, and the server's sentence about it: what the plans page begins with.
 * @type {Store<{videoId: string, sentence: string} | undefined>}
 */
export const refusal = new Store(/** @type {{videoId: string, sentence: string} | undefined} */ (undefined));
