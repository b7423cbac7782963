import "tus-js-client";

/** tus-js-client comes as a script that names itself on the global object. @type {typeof import("tus-js-client")} */
export const tus = Reflect.get(globalThis, "tus");
