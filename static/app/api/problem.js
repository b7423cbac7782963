/** A refusal of the server (RFC 9457 problem details), or a server that cannot be reached (status 0). */
export class Problem extends Error {
  /**
   * @param {number} status HTTP status; 0 where no answer came
   * @param {string} detail one sentence for the person in front of the page
   * @param {Record<string, any>} [body] the whole problem document
   */
  constructor(status, detail, body = {}) {
    super(detail);
    this.name = "Problem";
    this.status = status;
    this.detail = detail;
    this.body = body;
  }

  /**
   * What is wrong with one field of a form, or nothing.
   * @param {string} name
   * @returns {string | undefined}
   */
  field(name) {
    /** @type {{field: string, message: string}[]} */
    const errors = Array.isArray(this.body.errors) ? this.body.errors : [];
    return errors.find((error) => error.field === name)?.message;
  }
}

const UNREACHABLE = "The server cannot be reached.";

/**
 * @param {unknown} error anything thrown
 * @returns {Problem}
 */
export function asProblem(error) {
  if (error instanceof Problem) return error;
  if (error instanceof TypeError && /fetch|network|load/i.test(error.message)) return new Problem(0, UNREACHABLE);
  return new Problem(0, error instanceof Error ? error.message : String(error));
}

/**
 * @param {Response} response an answer with a status of 400 or above
 * @returns {Promise<Problem>}
 */
export async function problemOf(response) {
  let body;
  try {
    body = await response.json();
  } catch {
    body = {};
  }
  const sentence = typeof body.detail === "string" && body.detail ? body.detail : body.title;
  return new Problem(response.status, sentence || `The server answered ${response.status}.`, body);
}
