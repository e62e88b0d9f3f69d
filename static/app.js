// What pages can do better with a script. Everything works without it.
(() => {
  "use strict";
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

  const pressed = () => {
    for (const button of document.querySelectorAll("[data-theme-choice]")) {
      button.setAttribute("aria-pressed", button.dataset.themeChoice === (root.dataset.theme || ""));
    }
  };
  pressed();

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
      pressed();
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

  // The stream tells of all Applications; those that this page shows are filled in, wherever they stand.
  document.addEventListener("htmx:sseBeforeMessage", (event) => {
    if (event.detail.type !== "cells") return;
    event.preventDefault();
    const news = new DOMParser().parseFromString(event.detail.data, "text/html");
    for (const cell of news.querySelectorAll("[data-cell]")) {
      for (const place of document.querySelectorAll(`[data-cell="${CSS.escape(cell.dataset.cell)}"]`)) {
        if (place.innerHTML !== cell.innerHTML) place.innerHTML = cell.innerHTML;
      }
    }
  });

  // A live stream holds one of the six connections that a browser has for all windows of a portal. A window that
  // nobody sees, or that waits behind "back", gives its connections back and takes them up where it left off.
  const streams = new Set();
  class Stream extends EventTarget {
    constructor(url) {
      super();
      this.url = new URL(url, location.href);
      this.names = new Set();
      this.readyState = EventSource.CONNECTING;
      this.failures = 0;
      this.opened = 0;
      streams.add(this);
      // After the extension has set its handlers.
      queueMicrotask(() => this.resume());
    }
    addEventListener(name, listener) {
      super.addEventListener(name, listener);
      if (this.names.has(name)) return;
      this.names.add(name);
      if (this.source) this.source.addEventListener(name, (event) => this.relay(event));
    }
    relay(event) {
      if (event.lastEventId) this.url.searchParams.set("after", event.lastEventId);
      this.dispatchEvent(new MessageEvent(event.type, { data: event.data, lastEventId: event.lastEventId }));
    }
    resume() {
      if (this.source || this.readyState === EventSource.CLOSED || document.hidden) return;
      clearTimeout(this.retry);
      const source = new EventSource(this.url);
      this.source = source;
      for (const name of this.names) source.addEventListener(name, (event) => this.relay(event));
      source.onopen = (event) => {
        this.readyState = EventSource.OPEN;
        this.failures = 0;
        connection();
        if (this.onopen) this.onopen(event);
        // What was missed while the stream was away is asked for by those who only hear that something changed.
        if (this.opened++ > 0) this.dispatchEvent(new MessageEvent("changed", { data: "" }));
      };
      source.onerror = () => {
        // Always by ourselves: the browser would begin again where the page began, and give up after an error page.
        this.pause();
        if (this.readyState === EventSource.CLOSED) return;
        this.failures += 1;
        connection();
        this.retry = setTimeout(() => this.resume(), Math.min(500 * 2 ** this.failures, 30000));
      };
    }
    pause() {
      if (this.source) this.source.close();
      this.source = null;
    }
    close() {
      this.readyState = EventSource.CLOSED;
      this.pause();
      clearTimeout(this.retry);
      streams.delete(this);
      connection();
    }
  }
  if (window.htmx) htmx.createEventSource = (url) => new Stream(url);
  const pause = () => { for (const stream of streams) stream.pause(); };
  const resume = () => { if (!document.hidden) for (const stream of streams) stream.resume(); };
  window.addEventListener("pagehide", pause);
  window.addEventListener("pageshow", resume);
  document.addEventListener("visibilitychange", () => (document.hidden ? pause() : resume()));
  window.addEventListener("online", resume);

  let lost = false;
  const connection = () => {
    const now = [...streams].some((stream) => stream.failures > 1);
    if (now === lost) return;
    lost = now;
    root.toggleAttribute("data-lost", lost);
    say(lost ? "The connection is lost. What you see may be old; it is tried again by itself." : "Connected again.");
  };
})();
