import { html } from "htm/preact";
import { useResource } from "../api/resource.js";
import { day } from "../format.js";

/** @typedef {import("../api/types.js").Subscription} Subscription */
/** @typedef {import("../api/types.js").Plans} Plans */

/** The plan of the account, where plans are needed at all. @param {{role: string}} props */
export function OwnPlan({ role }) {
  const { data: own } = /** @type {import("../api/resource.js").Resource<Subscription>} */ (useResource("subscription"));
  const { data: offer } = /** @type {import("../api/resource.js").Resource<Plans>} */ (useResource("subscriptions"));
  if (!offer) return null;
  return html`
    <section class="panel">
      <h2>Plan</h2>
      ${offer.billing
        ? html`<p class="quiet">${sentence(role, own)}</p><div class="buttons"><a class="button" href="/plans">See the plans</a></div>`
        : html`<p class="quiet">Everything here is included.</p>`}
    </section>
  `;
}

/**
 * @param {string} role
 * @param {Subscription | undefined} plan
 * @returns {string}
 */
function sentence(role, plan) {
  if (plan?.is_active && plan.plan_id) {
    const name = plan.plan_id.charAt(0).toUpperCase() + plan.plan_id.slice(1);
    return plan.end_date ? `${name}, until ${day(plan.end_date)}.` : `${name}.`;
  }
  return role === "member" ? "You have no plan yet. One is needed to watch." : "Those who run the server watch everything without a plan.";
}
