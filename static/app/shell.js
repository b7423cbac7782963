import { html } from "htm/preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { progressOf, sendings } from "./admin/sendings.js";
import { pageFor } from "./pages.js";
import { navigate, place } from "./router.js";
import { findSession, session } from "./session.js";
import { useStore } from "./store.js";
import { Icon, Mark } from "./ui/icon.js";
import { Trouble } from "./ui/notice.js";
import { Toasts } from "./ui/toast.js";

/** The whole page: bar, the page that the address names, and toasts. */
export function Shell() {
  const where = useStore(place);
  const who = useStore(session);
  const page = pageFor(where.path, who);
  const main = useRef(/** @type {HTMLElement | null} */ (null));
  const first = useRef(true);

  useEffect(() => {
    if (page.redirect) navigate(page.redirect, { replace: true });
  }, [page.redirect]);

  useEffect(() => {
    document.title = page.title ? `${page.title} · ottserver` : "ottserver";
    if (first.current) first.current = false;
    else if (!main.current?.contains(document.activeElement)) main.current?.focus({ preventScroll: true });
  }, [where.path]);

  if (who.state === "unknown" || page.redirect) return html`<div class="boot" role="status"><span class="spinner"></span><span class="unseen">Loading</span></div>`;
  if (who.state === "broken") return html`<main><${Trouble} problem=${who.problem} onRetry=${findSession} /></main>`;
  if (page.bare) return html`<main ref=${main} tabindex="-1"><${page.component} key=${where.path} ...${page.props} /></main><${Toasts} />`;
  return html`
    <a class="skip" href="#main" onClick=${(/** @type {Event} */ event) => { event.preventDefault(); main.current?.focus(); }}>Skip to the content</a>
    <${Bar} path=${where.path} who=${who} />
    <main id="main" ref=${main} tabindex="-1"><${page.component} key=${where.path} ...${page.props} /></main>
    <${Toasts} />
  `;
}

/**
 * @param {{path: string, who: import("./session.js").Session}} props
 */
function Bar({ path, who }) {
  const [solid, setSolid] = useState(false);
  useEffect(() => {
    const look = () => setSolid(scrollY > 24);
    look();
    addEventListener("scroll", look, { passive: true });
    return () => removeEventListener("scroll", look);
  }, []);
  const account = who.state === "in" ? who.account : undefined;
  const here = (/** @type {string} */ link) => (path === link ? "page" : undefined);
  return html`
    <header class="bar ${solid ? "solid" : ""}">
      <a class="brand" href="/"><${Mark} /><span>ottserver</span></a>
      ${account && html`
        <nav class="links" aria-label="Main">
          ${path !== "/admin" && html`<${Uploading} />`}
          <a href="/" aria-current=${here("/")}>Films</a>
          ${account.role !== "member" && html`<a href="/admin" aria-current=${here("/admin")}>Library</a>`}
          <a class="who" href="/account" aria-current=${here("/account")} aria-label="Account of ${account.name || account.email}">
            ${(account.name || account.email).trim().charAt(0).toUpperCase() || html`<${Icon} name="lock" />`}
          </a>
        </nav>
      `}
    </header>
  `;
}

/** How far uploads are, on pages other than the library. */
function Uploading() {
  const said = progressOf(useStore(sendings));
  return said && html`<a class="uploading" href="/admin"><${Icon} name="upload" /><span>${said}</span></a>`;
}
