import "tus-js-client";

/** tus-js-client comes as a script that names itself on the global object. @type {typeof import("tus-js-client")} */
export const tus = Reflect.get(globalThis, "tus");

/** Where it writes down what is unfinished; always there in a browser. */
export const kept = /** @type {import("tus-js-client").UrlStorage} */ (tus.defaultOptions.urlStorage);
