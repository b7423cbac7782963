import { html } from "htm/preact";
import { useState } from "preact/hooks";
import { call } from "../api/client.js";
import { asProblem } from "../api/problem.js";
import { useResource } from "../api/resource.js";
import { refusal } from "../player/refusal.js";
import { place } from "../router.js";
import { money, quality as named } from "../format.js";
import { Notice, Trouble } from "../ui/notice.js";

/** @typedef {import("../api/types.js").Plan} Plan */
/** @typedef {import("../api/types.js").Subscription} Subscription */

const DIFFERENCE = "Every plan has every film. They differ in how sharp the picture is and how many screens can play at once.";

/** The plans with their prices; says why the visitor is here when a film asked for one. */
export function Plans() {
  const film = place.value.query.get("film");
  const refused = refusal.value && refusal.value.videoId === film ? refusal.value.sentence : "";
  const { data, problem, reload } = /** @type {import("../api/resource.js").Resource<import("../api/types.js").Plans>} */ (useResource("subscriptions"));
  const { data: own } = /** @type {import("../api/resource.js").Resource<Subscription>} */ (useResource("subscription"));
  if (problem) return html`<${Trouble} problem=${problem} onRetry=${reload} />`;
  if (!data) return html`<div class="boot" role="status"><span class="spinner"></span><span class="unseen">Loading the plans</span></div>`;
  if (!data.billing) return html`<${NothingSold} />`;
  const heading = data.for_sale ? "Choose a plan to watch" : "A plan is needed to watch";
  return html`
    <div class="page">
      <header>
        <h1>${film ? heading : "Plans"}</h1>
        <p class="lead">${refused} ${DIFFERENCE}</p>
        ${!data.for_sale && html`<p class="lead">Plans cannot be bought here yet. Ask whoever runs this server to give you one.</p>`}
      </header>
      <div class="plans">
        ${data.plans.map((plan) => html`
          <${PlanCard} key=${plan.id} plan=${plan} current=${own?.is_active && own.plan_id === plan.id} forSale=${data.for_sale} />
        `)}
      </div>
    </div>
  `;
}

function NothingSold() {
  return html`
    <${Notice} icon="film" title="Nothing is sold here" actions=${html`<a class="button primary" href="/">Go to the films</a>`}>
      Every film on this server is included for everybody who has an account.
    <//>
  `;
}

/** @param {{plan: Plan, current: boolean | undefined, forSale: boolean}} props */
function PlanCard({ plan, current, forSale }) {
  const [answer, setAnswer] = useState("");
  const [busy, setBusy] = useState(false);
  const subscribe = async () => {
    setBusy(true);
    try {
      await call("POST", "subscribe", { body: { plan_id: plan.id, payment_method: "sandbox" } });
      setAnswer("Your payment is on its way.");
    } catch (error) {
      setAnswer(asProblem(error).detail);
    } finally {
      setBusy(false);
    }
  };
  const name = plan.name ?? plan.id.charAt(0).toUpperCase() + plan.id.slice(1);
  const sharpness = /^\d+p$/.test(plan.quality) ? named(Number.parseInt(plan.quality, 10)) : plan.quality;
  return html`
    <article class="plan ${current ? "current" : ""}">
      <h2>${name} ${current && html`<span class="chip">Yours</span>`}</h2>
      <p class="price">${money(plan.price, plan.currency)} <small>a month</small></p>
      <ul>
        <li>Up to ${sharpness}</li>
        <li>${plan.screens === 1 ? "1 screen" : `${plan.screens} screens`} at a time</li>
      </ul>
      ${answer && html`<p class="quiet" role="status">${answer}</p>`}
      ${forSale && !answer && html`<button class="button" disabled=${busy || current} onClick=${subscribe}>${current ? "Your plan" : `Choose ${name}`}</button>`}
    </article>
  `;
}
