import { html } from "htm/preact";
import { useState } from "preact/hooks";
import { enter, findSession } from "../session.js";
import { Field } from "../ui/field.js";
import { generalSentence, useForm } from "../ui/form.js";

/** The first visit: the owner's account, made with the code that the server printed. */
export function SetUp() {
  const [code] = useState(() => new URLSearchParams(location.hash.slice(1)).get("setup") ?? "");
  const { busy, problem, onSubmit } = useForm((fields) => enter("setup", fields));
  const wrong = generalSentence(problem, ["code", "name", "email", "password"]);
  return html`
    <div class="door">
      <div class="door-card">
        <header>
          <h1>Welcome to your server</h1>
          <p>Make the owner's account. The set-up code stands in the window in which the server was started.</p>
        </header>
        <form class="form" onSubmit=${onSubmit}>
          <${Field} class="code" label="Set-up code" name="code" required autocomplete="one-time-code" autocapitalize="characters" spellcheck=${false} defaultValue=${code} wrong=${problem?.field("code")} />
          <${Field} label="Your name" name="name" required autocomplete="name" maxlength="100" wrong=${problem?.field("name")} />
          <${Field} label="E-mail" name="email" type="email" required autocomplete="username" maxlength="254" wrong=${problem?.field("email")} />
          <${Field} label="Password" name="password" type="password" required autocomplete="new-password" minlength="10" hint="At least 10 characters." wrong=${problem?.field("password")} />
          ${wrong && html`
            <p class="form-wrong" role="alert">
              ${wrong} ${problem?.status === 409 && html`<button type="button" class="text-button" onClick=${findSession}>Go to sign-in</button>`}
            </p>
          `}
          <button class="button primary large" disabled=${busy}>${busy && html`<span class="spinner"></span>`}Make this server mine</button>
        </form>
      </div>
    </div>
  `;
}
