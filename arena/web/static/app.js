// Follow a running study: ask for this page every second, and put in what has changed.  Without it the page reloads by itself.
"use strict";
const main = document.querySelector("main[data-live]");
let etag = null;

async function follow() {
  if (!document.hidden) {
    const open = [...main.querySelectorAll("details")].map((details) => details.open);
    try {
      const answer = await fetch(location.href, { headers: etag ? { "if-none-match": etag } : {}, cache: "no-store" });
      if (answer.status === 200) {
        etag = answer.headers.get("etag");
        const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("main");
        const busy = main.contains(document.activeElement) && /^(INPUT|SELECT|TEXTAREA)$/.test(document.activeElement.tagName);
        if (fresh && !busy && fresh.innerHTML !== main.innerHTML) {
          const focused = [...main.querySelectorAll("a, summary, button")].indexOf(document.activeElement);
          main.replaceChildren(...fresh.childNodes);
          main.querySelectorAll("details").forEach((details, number) => { details.open = open[number] ?? details.open; });
          if (focused >= 0) main.querySelectorAll("a, summary, button")[focused]?.focus({ preventScroll: true });
        }
        if (fresh && !fresh.hasAttribute("data-live")) { document.querySelector(".live").textContent = "The run has ended"; return; }
      }
      document.querySelector(".live").textContent = "Follows the run";
    } catch {
      document.querySelector(".live").textContent = "The viewer does not answer; trying again";
    }
  }
  setTimeout(follow, 1000);
}

if (main) setTimeout(follow, 1000);
