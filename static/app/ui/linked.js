import { html } from "htm/preact";

const ADDRESS = /(https?:\/\/[^\s<>"“”]+)/;

/**
 * @param {string} address as found in a sentence
 * @returns {[string, string]} the address, and the punctuation that belongs to the sentence
 */
function trimmed(address) {
  const closing = address.includes("(") ? /[.,;:!?'\]]+$/ : /[.,;:!?'\])]+$/;
  const end = address.search(closing);
  return end < 0 ? [address, ""] : [address.slice(0, end), address.slice(end)];
}

/**
 * Plain text whose web addresses can be followed.
 * @param {{text: string}} props
 */
export function Linked({ text }) {
  return text.split(ADDRESS).map((part, n) => {
    if (n % 2 === 0) return part;
    const [address, rest] = trimmed(part);
    return html`<a href=${address} target="_blank" rel="noopener noreferrer">${address}</a>${rest}`;
  });
}
