// What pages can do better with a script. Everything works without it.
"use strict";
(() => {
  const root = document.documentElement;
  const meta = document.querySelector('meta[name="portico-now"]');
  // Times count from the server's clock: this machine's may be wrong.
  const skew = meta ? Date.parse(meta.content) - Date.now() : 0;

  // The same words as server/web/time.rs.
  const units = [[31536000, "year"], [2592000, "month"], [86400, "day"], [3600, "h"], [60, "min"], [1, "s"]];
  const words = (seconds) => {
    const past = seconds >= 0;
    const size = Math.abs(seconds);
    if (size < 5) return "just now";
    const [length, unit] = units.find(([length]) => size >= length);
    const count = Math.floor(size / length);
    const text = `${count} ${unit}${unit.length > 2 && unit !== "min" && count > 1 ? "s" : ""}`;
    return past ? `${text} ago` : `in ${text}`;
  };
  const freshen = () => {
    const now = Date.now() + skew;
    for (const time of document.querySelectorAll("time[data-ago]")) {
      const text = words(Math.trunc((now - Date.parse(time.dateTime)) / 1000));
      if (time.textContent !== text) time.textContent = text;
    }
  };
  setInterval(freshen, 10000);

  const search = document.getElementById("q");
  const hint = search && search.parentElement.querySelector("kbd");
  if (hint) hint.hidden = false;
  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest("input, textarea, select, [contenteditable]");
    if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey && !event.altKey && search) {
      event.preventDefault();
      search.focus();
    }
    if (event.key === "Escape") for (const menu of document.querySelectorAll("details.menu[open]")) menu.open = false;
  });

  document.addEventListener("click", (event) => {
    const dismiss = event.target.closest("[data-dismiss]");
    if (dismiss) dismiss.closest(".note, .toast").remove();
    const copy = event.target.closest("[data-copy]");
    if (copy && navigator.clipboard) {
      navigator.clipboard.writeText(copy.dataset.copy).then(() => say("Copied."));
    }
    const theme = event.target.closest("[data-theme-choice]");
    if (theme) {
      const choice = theme.dataset.themeChoice;
      try {
        if (choice) localStorage.setItem("theme", choice);
        else localStorage.removeItem("theme");
      } catch { /* private windows may have no storage: the choice lasts for this page */ }
      if (choice) root.dataset.theme = choice;
      else delete root.dataset.theme;
    }
    for (const menu of document.querySelectorAll("details.menu[open]")) if (!menu.contains(event.target)) menu.open = false;
  });
  for (const element of document.querySelectorAll("[data-needs-script]")) element.hidden = false;

  let saying = 0;
  const say = (text) => {
    const place = document.getElementById("toasts");
    if (!place) return;
    const toast = document.createElement("p");
    toast.className = "toast";
    toast.textContent = text;
    place.replaceChildren(toast);
    clearTimeout(saying);
    saying = setTimeout(() => toast.remove(), 8000);
  };
  document.addEventListener("htmx:responseError", (event) => {
    const answer = new DOMParser().parseFromString(event.detail.xhr.responseText, "text/html");
    const note = answer.querySelector(".note h2, h1");
    say(note ? note.textContent : `The server answered ${event.detail.xhr.status}. Reload the page.`);
  });
  document.addEventListener("htmx:sendError", () => say("The portal cannot be reached. What you see may be old."));
  document.addEventListener("htmx:afterSwap", freshen);
})();
