// What pages can do better with a script. Everything works without it.
(() => {
  "use strict";
  const root = document.documentElement;
  const meta = document.querySelector('meta[name="portico-now"]');
  // Times count from the server's clock: this machine's may be wrong.
  const skew = meta ? Date.parse(meta.content) - Date.now() : 0;

  // What is said here, in the language of the page: server/web/shell.rs.
  const words = JSON.parse(document.querySelector('meta[name="portico-words"]').content);
  const relative = (seconds) => {
    const { now, ago, ahead, units } = words.times;
    const size = Math.abs(seconds);
    if (size < 5) return now;
    const [length, one, many] = units.find(([length]) => size >= length);
    const count = Math.floor(size / length);
    const time = (count === 1 ? one : many).replace("{count}", count);
    return (seconds >= 0 ? ago : ahead).replace("{time}", time);
  };
  // The server says exact times in UTC; here they are told in the reader's own zone.
  const dateStyle = root.dataset.dates === "sv" ? "short" : "medium";
  const exact = new Intl.DateTimeFormat(root.dataset.dates, { dateStyle, timeStyle: "long" });
  const freshen = () => {
    const now = Date.now() + skew;
    for (const time of document.querySelectorAll("time[data-ago]")) {
      const at = Date.parse(time.dateTime);
      const text = relative(Math.trunc((now - at) / 1000));
      if (time.textContent !== text) time.textContent = text;
      const title = exact.format(at);
      if (time.title !== title) time.title = title;
    }
  };
  freshen();
  setInterval(freshen, 10000);

  const search = document.getElementById("q");
  const keys = document.getElementById("keys");
  const singleKeys = !root.hasAttribute("data-no-keys");
  const hint = search && search.parentElement.querySelector("kbd");
  if (hint && singleKeys) hint.hidden = false;
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") for (const menu of document.querySelectorAll("details.menu[open]")) menu.open = false;
    const busy = event.target.closest("input, textarea, select, [contenteditable], dialog[open]");
    if (busy || !singleKeys || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "/" && search) {
      event.preventDefault();
      search.focus();
    }
    if (event.key === "?" && keys) {
      event.preventDefault();
      keys.showModal();
    }
  });

  // The palette: what is typed is asked for at once; the newest answer counts.
  const palette = document.getElementById("palette");
  if (palette) {
    const input = palette.querySelector("input");
    const list = document.getElementById("palette-list");
    const status = palette.querySelector("[role=status]");
    let asking = new AbortController();
    let answered = null;
    const options = () => [...list.querySelectorAll("[role=option]")];
    const chosen = () => list.querySelector("[aria-selected=true]");
    const choose = (option) => {
      if (chosen()) chosen().setAttribute("aria-selected", "false");
      if (!option) return input.removeAttribute("aria-activedescendant");
      option.setAttribute("aria-selected", "true");
      option.scrollIntoView({ block: "nearest" });
      input.setAttribute("aria-activedescendant", option.id);
    };
    const ask = async () => {
      asking.abort();
      asking = new AbortController();
      const text = input.value;
      try {
        const answer = await fetch(`/search/palette?q=${encodeURIComponent(text)}`, { signal: asking.signal, headers: { "HX-Request": "true" } });
        if (!answer.ok) throw new Error(words.refused.replace("{status}", answer.status));
        list.innerHTML = await answer.text();
        answered = text;
        const count = list.querySelector("[data-count]");
        status.textContent = count.textContent;
        choose(options()[0]);
      } catch (error) {
        if (error.name !== "AbortError") say(error instanceof TypeError ? words.unreachable : error.message);
      }
    };
    const open = (text) => {
      if (!palette.open) palette.showModal();
      input.value = text;
      input.focus();
      ask();
    };
    const take = async (option) => {
      if (option.dataset.post === undefined) return location.assign(option.href);
      await fetch(option.href, { method: "POST", body: new URLSearchParams(option.dataset.post), redirect: "manual" });
      location.reload();
    };
    input.addEventListener("input", ask);
    input.addEventListener("keydown", (event) => {
      const all = options();
      const at = all.indexOf(chosen());
      const to = { ArrowDown: at + 1, ArrowUp: at - 1 + (at < 1 ? all.length : 0), PageDown: Math.min(at + 8, all.length - 1), PageUp: Math.max(at - 8, 0) }[event.key];
      if (to !== undefined && all.length) {
        event.preventDefault();
        choose(all[to % all.length]);
      }
      // Before the answer is there, Enter sends the form: the page of the search.
      if (event.key === "Enter" && chosen() && answered === input.value) {
        event.preventDefault();
        take(chosen());
      }
    });
    list.addEventListener("click", (event) => {
      const option = event.target.closest("[data-post]");
      if (!option) return;
      event.preventDefault();
      take(option);
    });
    palette.addEventListener("click", (event) => { if (event.target === palette || event.target.closest("[data-close]")) palette.close(); });
    if (search) search.addEventListener("input", () => {
      const text = search.value;
      search.value = "";
      open(text);
    });
    document.addEventListener("keydown", (event) => {
      if (event.key.toLowerCase() !== "k" || !(event.ctrlKey || event.metaKey) || event.altKey || event.shiftKey) return;
      event.preventDefault();
      open("");
    });
  }

  document.addEventListener("click", (event) => {
    const dismiss = event.target.closest("[data-dismiss]");
    if (dismiss) dismiss.closest(".note, .toast").remove();
    const copy = event.target.closest("[data-copy], [data-copy-from]");
    if (copy && navigator.clipboard) {
      const from = copy.dataset.copyFrom && document.getElementById(copy.dataset.copyFrom);
      navigator.clipboard.writeText(from ? from.textContent : copy.dataset.copy).then(() => say(words.copied));
    }
    if (keys && event.target.closest("[data-keys]")) {
      event.preventDefault();
      keys.showModal();
    }
    for (const menu of document.querySelectorAll("details.menu[open]")) if (!menu.contains(event.target)) menu.open = false;
  });
  const offer = () => {
    for (const element of document.querySelectorAll("[data-needs-script][hidden]")) element.hidden = false;
  };
  offer();
  document.addEventListener("htmx:afterSwap", offer);

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
    say(note ? note.textContent : words.refused.replace("{status}", event.detail.xhr.status));
  });
  document.addEventListener("htmx:sendError", () => say(words.unreachable));
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
    say(lost ? words.lost : words.connected);
  };
})();
