/** Milliseconds over which the speed is measured. */
const WINDOW = 6000;

/** The speed of an upload over the last seconds, which is what people want to know. */
export class Pace {
  constructor() {
    /** @type {{time: number, sent: number}[]} */
    this.samples = [];
  }

  /**
   * @param {number} sent bytes so far
   * @param {number} now milliseconds
   * @returns {number} bytes a second, 0 while too little is known
   */
  note(sent, now) {
    this.samples.push({ time: now, sent });
    while (this.samples.length > 2 && now - (this.samples[0]?.time ?? now) > WINDOW) this.samples.shift();
    const first = this.samples[0];
    if (!first || now - first.time < 400) return 0;
    return ((sent - first.sent) / (now - first.time)) * 1000;
  }
}
