import { html } from "htm/preact";
import { useState } from "preact/hooks";
import { useResource } from "../api/resource.js";
import { enter } from "../session.js";
import { Field } from "../ui/field.js";
import { generalSentence, useForm } from "../ui/form.js";

/** Sign in, or make an account. Where to go next is in the address and is followed by the pages' own rule. */
export function SignIn() {
  const { data: server } = /** @type {import("../api/resource.js").Resource<import("../api/types.js").SetUpState>} */ (useResource("setup"));
  const [fresh, setFresh] = useState(false);
  const { busy, problem, onSubmit } = useForm((fields) => enter(fresh ? "register" : "login", fields));
  const wrong = generalSentence(problem, ["email", "password", "name"]);
  return html`
    <div class="door">
      <div class="door-card">
        <header>
          <h1>${fresh ? "Make an account" : "Sign in"}</h1>
          <p>${fresh ? "A name, an e-mail address and a password are all it takes." : "Your films are waiting."}</p>
        </header>
        <form class="form" onSubmit=${onSubmit}>
          ${fresh && html`<${Field} key="name" label="Name" name="name" autocomplete="name" required maxlength="100" wrong=${problem?.field("name")} />`}
          <${Field} key="email" label="E-mail" name="email" type="email" autocomplete="username" required maxlength="254" wrong=${problem?.field("email")} />
          <${Field}
            key="password"
            label="Password" name="password" type="password" required
            autocomplete=${fresh ? "new-password" : "current-password"}
            minlength=${fresh ? 10 : undefined}
            hint=${fresh ? "At least 10 characters." : undefined}
            wrong=${problem?.field("password")}
          />
          ${wrong && html`<p class="form-wrong" role="alert">${wrong}</p>`}
          <button class="button primary large" disabled=${busy}>${busy && html`<span class="spinner"></span>`}${fresh ? "Make the account" : "Sign in"}</button>
        </form>
        <footer>
          ${server?.registration === false && "New accounts are made by whoever runs this server."}
          ${server?.registration && html`
            ${fresh ? "Already have an account? " : "New here? "}
            <button class="text-button" onClick=${() => setFresh(!fresh)}>${fresh ? "Sign in" : "Make an account"}</button>
          `}
        </footer>
      </div>
    </div>
  `;
}
