// Keys, the drawer, marks and the brush of the raster. Every page works without it.
"use strict";
(() => {
  const $ = (q, of = document) => of.querySelector(q);
  const rows = () => [...document.querySelectorAll("tr[data-row]")];
  const typing = (e) => e.target.closest("input:not([type=checkbox]):not([type=radio]), select, textarea, dialog");
  const stored = "stillwatch-keys";
  const marks = new Map(); // what was marked, by field: a list that arrives anew takes no mark away
  let here = -1, waits = false, opener = null;

  function to(step) {
    const all = rows();
    if (!all.length) return;
    all.forEach((r) => r.classList.remove("at"));
    here = Math.min(Math.max(here + step, 0), all.length - 1);
    all[here].classList.add("at");
    const link = $("a", all[here]);
    if (link) link.focus();
    all[here].scrollIntoView({ block: "nearest" });
  }
  function remark() { // a row that left the list loses its mark: nothing is done to what is not seen
    for (const [name, held] of marks) {
      const shown = new Set();
      document.querySelectorAll(`input[type=checkbox][name="${name}"]`).forEach((b) => {
        shown.add(b.value);
        if (held.has(b.value) && !b.disabled) b.checked = true;
      });
      if (name === "case") held.forEach((v) => { if (!shown.has(v)) held.delete(v); });
      else carry(name, [...held].filter((v) => !shown.has(v)));
    }
  }
  function carry(name, values) { // marks on other pages of the members go with the form, and are told
    const told = $("#carried");
    if (!told) return;
    told.replaceChildren(...values.map((v) => Object.assign(document.createElement("input"), { type: "hidden", name, value: v })));
    if (!values.length) return;
    const forget = Object.assign(document.createElement("button"), { type: "button", className: "plain", textContent: "forget them" });
    forget.addEventListener("click", () => { values.forEach((v) => marks.get(name).delete(v)); carry(name, []); });
    told.append(`${values.length} marked on other pages `, forget);
  }
  function count() {
    const told = $("#marked");
    const said = `${document.querySelectorAll("#rows input[name=case]:checked").length} marked`;
    if (told && told.textContent !== said) told.textContent = said; // it is observed: no change, no loop
    const marked = document.querySelectorAll("input[name=account]:checked, #carried input").length;
    const choice = $("#decide input[value=marked]");
    if (choice && marked) choice.checked = true;
  }
  function close() {
    const drawer = $("#drawer");
    if (!drawer || drawer.hidden) return false;
    drawer.hidden = true;
    drawer.textContent = "";
    if (opener && opener.isConnected) opener.focus();
    return true;
  }
  function all() { // marks every row shown, or none where all are marked
    const boxes = [...document.querySelectorAll("#rows tr[data-row] input[type=checkbox]:not(:disabled)")];
    const open = boxes.filter((b) => !b.checked);
    (open.length ? open : boxes).forEach((b) => b.click());
  }
  const off = () => { try { return localStorage.getItem(stored) === "off"; } catch { return false; } };
  const acts = {
    j: () => to(1), k: () => to(-1),
    x: () => { const r = rows()[here], b = r && $("input[type=checkbox]", r); if (b) b.click(); },
    X: () => all(),
    a: () => ($("#to") || $("#assign"))?.focus(), c: () => ($("#reason") || $("#close"))?.focus(),
    v: () => ($("#bulk-verdict") || $("#verdict"))?.focus(),
    t: () => $("[data-take]")?.click(), s: () => $("[data-skip]")?.click(),
    n: () => $("[data-next]")?.click(), p: () => $("[data-prev]")?.click(),
    d: () => $("#verdict")?.focus(),
    "/": () => ($("#filter") || $("#find-account"))?.focus(),
    "?": () => $("#keys")?.showModal(),
    g: () => { waits = true; setTimeout(() => { waits = false; }, 1200); },
  };
  const places = { q: "/", o: "/overview", d: "/decisions" };
  document.addEventListener("keydown", (e) => {
    if (e.key === "Escape" && close()) return;
    if (e.ctrlKey || e.metaKey || e.altKey || typing(e) || off()) return;
    if (waits && places[e.key]) { waits = false; location.assign(places[e.key]); return; }
    if (acts[e.key]) { e.preventDefault(); acts[e.key](); }
  });
  document.addEventListener("click", (e) => {
    if (e.target.closest("[data-close]")) close();
    if (e.target.closest("[data-print]")) print();
    if (e.target.closest("[data-mark-all]")) all();
    const opens = e.target.closest("[data-open]");
    if (opens) $(`#${opens.dataset.open}`)?.showModal();
    if (e.target.closest("[hx-target='#drawer']")) opener = e.target.closest("a");
  });
  document.addEventListener("change", (e) => {
    if (e.target.matches("input[type=checkbox][name=case], input[type=checkbox][name=account]")) {
      const held = marks.get(e.target.name) || new Set();
      held[e.target.checked ? "add" : "delete"](e.target.value);
      marks.set(e.target.name, held);
    }
    if (e.target.dataset.most) { // told before it is sent: a browser may show no answer to a large one
      const large = [...e.target.files].some((f) => f.size > +e.target.dataset.most);
      e.target.setCustomValidity(large ? `Larger than ${e.target.dataset.most / 1e6} MB` : "");
      e.target.reportValidity();
    }
    if (e.target.id === "keys-on") { try { localStorage.setItem(stored, e.target.checked ? "on" : "off"); } catch { /* private windows keep nothing */ } }
    count();
  });
  // <html data-ready>: all that is shown hears clicks, and nothing is on its way. Until then a link
  // opens its page as it does without scripts; programs that drive the page wait for it.
  const deaf = ["[hx-get]:not([data-htmx-powered])", "[hx-post]:not([data-htmx-powered])",
    ".htmx-request", ".htmx-swapping", ".htmx-settling", ".htmx-added"].join(", ");
  const ready = () => document.documentElement.toggleAttribute("data-ready", !$(deaf));
  document.addEventListener("htmx:before:request", () => document.documentElement.removeAttribute("data-ready"));
  for (const done of ["htmx:after:process", "htmx:after:settle", "htmx:finally:request"]) {
    document.addEventListener(done, () => setTimeout(ready));
  }
  setTimeout(ready); // htmx may have begun before this file came
  const box = $("#keys-on");
  if (box) box.checked = !off();
  new MutationObserver(() => {
    const drawer = $("#drawer");
    if (drawer && drawer.hidden && drawer.childElementCount) {
      drawer.hidden = false;
      const first = $("button", drawer);
      if (first) first.focus();
    }
  }).observe($("#drawer"), { childList: true });
  new MutationObserver((seen) => {
    if (seen.some((m) => [...m.addedNodes].some((n) => n.nodeType === 1 && n.querySelector("table.rows")))) {
      here = -1;
      remark();
      const now = $("[data-query-now]"); // what is saved or handed out is what the list shows
      if (now) document.querySelectorAll("input[name=query]").forEach((i) => { i.value = now.dataset.queryNow; });
    }
    count();
  }).observe($("#main"), { childList: true, subtree: true });

  // The brush: drag across the raster. Its time axis runs from x = 34 to 752 of 760.
  const axis = [34, 752, 760];
  let from = null, mark = null;
  const spot = (svg, e) => {
    const b = svg.getBoundingClientRect();
    return Math.min(Math.max((e.clientX - b.left) / b.width * axis[2], axis[0]), axis[1]);
  };
  document.addEventListener("pointerdown", (e) => {
    const svg = e.target.closest(".brush svg[role=img]");
    if (!svg || e.button) return;
    from = { svg, x: spot(svg, e) };
    mark = document.createElementNS("http://www.w3.org/2000/svg", "rect");
    mark.setAttribute("class", "brushed");
    mark.setAttribute("y", 0);
    mark.setAttribute("height", svg.viewBox.baseVal.height);
    svg.append(mark);
    e.preventDefault();
  });
  document.addEventListener("pointermove", (e) => {
    if (!from) return;
    const x = spot(from.svg, e);
    mark.setAttribute("x", Math.min(x, from.x));
    mark.setAttribute("width", Math.abs(x - from.x));
  });
  document.addEventListener("pointerup", (e) => {
    if (!from) return;
    const { svg, x } = from, end = spot(svg, e);
    from = null;
    mark.remove();
    if (Math.abs(end - x) < 6) return;
    const brush = svg.closest(".brush"), low = +brush.dataset.low, high = +brush.dataset.high;
    const time = (p) => new Date((low + (p - axis[0]) / (axis[1] - axis[0]) * (high - low)) / 1000).toISOString().slice(0, 19);
    const query = new URLSearchParams({ since: time(Math.min(x, end)), until: time(Math.max(x, end)) });
    htmx.ajax("GET", `${brush.dataset.address}?${query}`, { target: "#raster", swap: "outerHTML" });
  });
})();
