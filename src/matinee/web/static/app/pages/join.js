// Where the address from another browser leads: this browser becomes the same person's.
import { html, useState } from "../html.js";
import { go } from "../router.js";
import { followLink, usePerson } from "../state.js";
import { Failure } from "../ui/empty.js";
import { say } from "../ui/toast.js";

export default function Join({ address }) {
  const { userId, ratings } = usePerson();
  const [failure, setFailure] = useState(null);
  const [busy, setBusy] = useState(false);
  async function join() {
    setBusy(true);
    try {
      await followLink(address.hash);
      say("This browser is yours now too.");
      go("/for-you", { replace: true });
    } catch (error) {
      setFailure(error);
      setBusy(false);
    }
  }
  return html`<div class="page narrow">
    <h1>Take over in this browser</h1>
    <p>Your ratings, watchlist and list are shown here too. The other browser goes on as it was.</p>
    ${userId && ratings.size > 0 && html`<p><strong>The ${ratings.size} ratings given in this browser stay with who it was before</strong>; they are not taken along.</p>`}
    ${failure && html`<${Failure} error=${failure} />`}
    <p><button class="button" disabled=${busy} onClick=${join}>Go on as the same person</button></p>
  </div>`;
}
