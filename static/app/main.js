import { html, render } from "htm/preact";
import { whenSignedOut } from "./api/client.js";
import { startRouter } from "./router.js";
import { findSession, signedOut } from "./session.js";
import { Shell } from "./shell.js";

const root = /** @type {HTMLElement} */ (document.getElementById("app"));

whenSignedOut(signedOut);
startRouter();
render(html`<${Shell} />`, root);
void findSession();
