/**
 * How the engine behaves towards a server that makes segments at the moment they are asked for: it waits long and tries
 * again gently, starts with little buffered, asks for nothing before the place it was sent to, and begins with the
 * picture that the server advises, which the measured throughput then raises.
 */

/** A segment that has still to be encoded sends no byte for seconds: neither waiting time may be short. */
const PATIENT = {
  maxAttempts: 6,
  baseDelay: 400,
  backoffFactor: 1.8,
  fuzzFactor: 0.4,
  timeout: 40_000,
  connectionTimeout: 30_000,
  stallTimeout: 30_000,
};

export const CONFIG = {
  // Subtitles are the browser's own tracks (`subtitles`): it shows every colour and place that WebVTT can say.
  manifest: { retryParameters: PATIENT, disableText: true },
  streaming: {
    retryParameters: PATIENT,
    // Exact grids: without this the engine fetches the segment before the one it needs, to be sure.
    inaccurateManifestTolerance: 0,
    rebufferingGoal: 0.5,
    bufferingGoal: 20,
    bufferBehind: 40,
  },
  // Whether the buffer ran dry, what is needed at once, and what will be asked for next (CTA-5004). In header fields, so that
  // addresses, and with them the browser's cache, stay as they are; on one origin those need no preflight.
  cmcd: { enabled: true, useHeaders: true, includeKeys: ["bs", "nor", "su"] },
  abr: {
    // The browser's guess would outrank the server's advice and what is known of the line: `adapt` weighs those.
    useNetworkInformation: false,
    // On a near server a segment takes a few milliseconds; those measurements count too.
    cacheLoadThreshold: 2,
    restrictToElementSize: true,
  },
};
