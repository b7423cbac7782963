import "shaka-player";

/** Shaka Player comes as a script that names itself on the global object. @type {typeof import("shaka-player").default} */
export const shaka = Reflect.get(globalThis, "shaka");

/** @typedef {import("shaka-player").default.Player} Player */
/** @typedef {ReturnType<Player["getAudioTracks"]>[number]} AudioTrack */
