import { html } from "htm/preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { Card } from "./card.js";
import { Icon } from "./icon.js";

/**
 * A row of films, with the reason why it is there.
 * @param {{row: import("../api/types.js").HomeRow}} props
 */
export function Row({ row }) {
  const shelf = useRef(/** @type {HTMLUListElement | null} */ (null));
  const [ends, setEnds] = useState({ back: false, on: false });
  const look = () => {
    const list = shelf.current;
    if (!list) return;
    const next = { back: list.scrollLeft > 8, on: list.scrollLeft + list.clientWidth < list.scrollWidth - 8 };
    setEnds((now) => (now.back === next.back && now.on === next.on ? now : next));
  };
  useEffect(() => {
    look();
    const watcher = new ResizeObserver(look);
    if (shelf.current) watcher.observe(shelf.current);
    return () => watcher.disconnect();
  }, [row.items.length]);
  const turn = (/** @type {number} */ way) => {
    const list = shelf.current;
    list?.scrollBy({ left: way * list.clientWidth * 0.8, behavior: "smooth" });
  };
  const heading = `row-${row.id}`;
  return html`
    <section class="row" aria-labelledby=${heading}>
      <div class="row-head">
        <h2 id=${heading}>${row.title}</h2>
        <p>${row.reason}</p>
      </div>
      <ul class="shelf" ref=${shelf} onScroll=${look}>
        ${row.items.map((film) => html`<li key=${film.video_id}><${Card} film=${film} /></li>`)}
      </ul>
      ${ends.back && html`<button class="shelf-arrow back" tabindex="-1" aria-label="Back in ${row.title}" onClick=${() => turn(-1)}><${Icon} name="left" /></button>`}
      ${ends.on && html`<button class="shelf-arrow on" tabindex="-1" aria-label="On in ${row.title}" onClick=${() => turn(1)}><${Icon} name="right" /></button>`}
    </section>
  `;
}
