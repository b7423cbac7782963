import { html } from "htm/preact";
import { Devices } from "../account/devices.js";
import { OwnData } from "../account/own-data.js";
import { ChangePassword } from "../account/password.js";
import { OwnPlan } from "../account/plan.js";
import { patch } from "../api/client.js";
import { useResource } from "../api/resource.js";
import { day } from "../format.js";
import { accountChanged, session } from "../session.js";
import { useStore } from "../store.js";
import { Field } from "../ui/field.js";
import { useForm } from "../ui/form.js";
import { say } from "../ui/toast.js";

/** @typedef {import("../api/types.js").Account} AccountAnswer */
/** @typedef {import("../api/types.js").Page<import("../api/types.js").Device>} DeviceList */

const ROLES = { owner: "Owner of this server", admin: "Administrator", member: "Member" };

/** Who is signed in, where, with which plan, and the ways out. */
export function Account() {
  const who = useStore(session);
  const { data, reload } = /** @type {import("../api/resource.js").Resource<DeviceList>} */ (useResource("me/sessions?limit=100"));
  if (who.state !== "in") return null;
  const { account } = who;
  return html`
    <div class="page narrow">
      <header><h1>Account</h1></header>
      <${Person} account=${account} />
      <${OwnPlan} role=${account.role} />
      <${ChangePassword} email=${account.email} onChanged=${reload} />
      <${Devices} devices=${data?.results ?? []} onChanged=${reload} />
      <${OwnData} email=${account.email} />
    </div>
  `;
}

/** @param {{account: AccountAnswer}} props */
function Person({ account }) {
  const { busy, problem, onSubmit } = useForm(async ({ name }) => {
    accountChanged(await patch("me", { name }));
    say("Your name is saved.");
  });
  return html`
    <section class="panel">
      <form class="inline-form" onSubmit=${onSubmit}>
        <${Field} label="Name" name="name" defaultValue=${account.name} required pattern=".*\\S.*" maxlength="100" autocomplete="name" rule="Give your name." wrong=${problem?.field("name") ?? problem?.detail} />
        <button class="button" disabled=${busy}>Save</button>
      </form>
      <dl class="pair">
        <div><dt>E-mail</dt><dd>${account.email}</dd></div>
        <div><dt>Role</dt><dd>${ROLES[account.role] ?? account.role}</dd></div>
        <div><dt>Since</dt><dd>${day(account.created_at)}</dd></div>
      </dl>
    </section>
  `;
}
