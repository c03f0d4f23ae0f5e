// Search as you type, copy buttons, and parts that refresh while one watches. Every page works without it.
"use strict";

for (const form of document.querySelectorAll("[data-filter]")) {
  const cards = [...document.querySelectorAll(".card")];
  const count = document.querySelector("[data-count]");
  const none = document.querySelector("[data-none]");
  const value = (name) => form.elements[name].value.trim();
  const list = (card, name) => card.dataset[name].split("|");
  const apply = () => {
    const words = value("q").toLowerCase().split(/\s+/).filter(Boolean);
    const [system, tag, phase] = ["system", "tag", "phase"].map(value);
    let shown = 0;
    for (const card of cards) {
      const fits =
        words.every((word) => card.dataset.text.includes(word)) &&
        (!system || card.dataset.system === system) &&
        (!tag || list(card, "tags").includes(tag)) &&
        (!phase || list(card, "phases").includes(phase));
      card.hidden = !fits;
      shown += fits;
    }
    count.textContent = shown === 1 ? "1 scenario" : `${shown} scenarios`;
    none.hidden = shown > 0;
    const query = new URLSearchParams([...new FormData(form)].filter(([, text]) => text));
    history.replaceState(null, "", query.size ? `/?${query}` : "/");
  };
  form.addEventListener("input", apply);
  form.addEventListener("submit", (event) => { event.preventDefault(); apply(); });
}

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  const label = button.textContent;
  try {
    await navigator.clipboard.writeText(button.dataset.copy);
    button.textContent = "Copied";
  } catch {
    const range = document.createRange();
    range.selectNodeContents(button.previousElementSibling);
    getSelection().removeAllRanges();
    getSelection().addRange(range);
    button.textContent = "Selected";
  }
  setTimeout(() => { button.textContent = label; }, 1500);
});

for (const part of document.querySelectorAll("[data-live]")) {
  const every = Number(part.dataset.every);
  let tag = null;
  const refresh = async () => {
    let wait = every;
    if (!document.hidden) {
      try {
        const headers = tag ? { "If-None-Match": tag } : {};
        const answer = await fetch(part.dataset.live, { headers, cache: "no-store", redirect: "follow" });
        if (answer.redirected) { location.assign(answer.url); return; }
        if (answer.status === 401 || answer.status === 404) { location.reload(); return; }
        if (answer.status !== 304) {
          const text = await answer.text();
          if (answer.ok) {
            tag = answer.headers.get("ETag");
            const open = new Map([...part.querySelectorAll("details")].map((each) => [each.innerText.split("\n")[0], each.open]));
            part.innerHTML = text;
            for (const each of part.querySelectorAll("details")) {
              const known = open.get(each.innerText.split("\n")[0]);
              if (known !== undefined) each.open = known;
            }
          } else if (part.dataset.live.includes("/jobs/")) { location.reload(); return; }
        }
        part.classList.remove("stale");
      } catch {
        part.classList.add("stale");
        wait = every * 3;
      }
    }
    setTimeout(refresh, wait);
  };
  refresh();
}
