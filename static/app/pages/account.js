import { html } from "htm/preact";
import { useState } from "preact/hooks";
import { patch } from "../api/client.js";
import { useResource } from "../api/resource.js";
import { day } from "../format.js";
import { accountChanged, leave, session } from "../session.js";
import { useStore } from "../store.js";
import { Field } from "../ui/field.js";
import { useForm } from "../ui/form.js";
import { say } from "../ui/toast.js";

const ROLES = { owner: "Owner of this server", admin: "Administrator", member: "Member" };

/** Who is signed in, with which plan, and the way out. */
export function Account() {
  const who = useStore(session);
  const { data: plan } = /** @type {import("../api/resource.js").Resource<import("../api/types.js").Subscription>} */ (useResource("subscription"));
  const [leaving, setLeaving] = useState(false);
  const { busy, problem, onSubmit } = useForm(async ({ name }) => {
    accountChanged(await patch("me", { name }));
    say("Your name is saved.");
  });
  if (who.state !== "in") return null;
  const { account } = who;
  const signOut = () => {
    setLeaving(true);
    leave().catch(() => say("Signed out here. The server could not be told."));
  };
  return html`
    <div class="page narrow">
      <header><h1>Account</h1></header>
      <section class="panel">
        <form class="inline-form" onSubmit=${onSubmit}>
          <${Field} label="Name" name="name" defaultValue=${account.name} required maxlength="100" autocomplete="name" wrong=${problem?.field("name") ?? problem?.detail} />
          <button class="button" disabled=${busy}>Save</button>
        </form>
        <dl class="pair">
          <div><dt>E-mail</dt><dd>${account.email}</dd></div>
          <div><dt>Role</dt><dd>${ROLES[account.role] ?? account.role}</dd></div>
          <div><dt>Since</dt><dd>${day(account.created_at)}</dd></div>
        </dl>
      </section>
      <section class="panel">
        <h2>Plan</h2>
        <p class="quiet">${planSentence(account.role, plan)}</p>
        <div class="buttons"><a class="button" href="/plans">See the plans</a></div>
      </section>
      <section class="panel">
        <h2>This device</h2>
        <p class="quiet">Signing out ends the session here; other devices stay signed in.</p>
        <div class="buttons"><button class="button" disabled=${leaving} onClick=${signOut}>Sign out</button></div>
      </section>
    </div>
  `;
}

/**
 * @param {string} role
 * @param {import("../api/types.js").Subscription | undefined} plan
 * @returns {string}
 */
function planSentence(role, plan) {
  if (plan?.is_active && plan.plan_id) {
    const name = plan.plan_id.charAt(0).toUpperCase() + plan.plan_id.slice(1);
    return plan.end_date ? `${name}, until ${day(plan.end_date)}.` : `${name}.`;
  }
  return role === "member" ? "You have no plan yet. One is needed to watch." : "Those who run the server watch everything without a plan.";
}
