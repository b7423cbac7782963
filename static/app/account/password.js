import { html } from "htm/preact";
import { useRef } from "preact/hooks";
import { patch } from "../api/client.js";
import { Field } from "../ui/field.js";
import { generalSentence, useForm } from "../ui/form.js";
import { say } from "../ui/toast.js";

/** A new password. @param {{email: string, onChanged: () => void}} props */
export function ChangePassword({ email, onChanged }) {
  const form = useRef(/** @type {HTMLFormElement | null} */ (null));
  const { busy, problem, onSubmit } = useForm(async (fields) => {
    await patch("me", { current_password: fields["current_password"], password: fields["password"] });
    form.current?.reset();
    say("Your password is changed. Other devices are signed out.");
    onChanged();
  });
  const wrong = generalSentence(problem, ["current_password", "password"]);
  return html`
    <section class="panel">
      <h2>Password</h2>
      <form class="form" ref=${form} onSubmit=${onSubmit}>
        <input type="text" name="username" autocomplete="username" value=${email} readonly hidden />
        <div class="form-row even">
          <${Field} label="Present password" name="current_password" type="password" required autocomplete="current-password" rule="Give the password you have now." wrong=${problem?.field("current_password")} />
          <${Field} label="New password" name="password" type="password" required minlength="10" autocomplete="new-password" hint="At least 10 characters." rule="A password has at least 10 characters." wrong=${problem?.field("password")} />
        </div>
        ${wrong && html`<p class="form-wrong" role="alert">${wrong}</p>`}
        <div class="buttons"><button class="button" disabled=${busy}>Change the password</button></div>
      </form>
    </section>
  `;
}
