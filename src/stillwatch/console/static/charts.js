// Prevalence over time by uPlot, with its values under the pointer and by the arrow keys. The SVG of
// the same numbers is shown without scripts and on paper, and stays for screen readers.
"use strict";
(() => {
  const dark = matchMedia("(prefers-color-scheme: dark)"), SLIM = 520, TILE = 6;
  const make = (tag, className, text = "") => Object.assign(document.createElement(tag), { className, textContent: text });
  function paints() { // the style sheet's colours, of the scheme in force
    const style = getComputedStyle(document.documentElement);
    return (name) => style.getPropertyValue(`--${name}`).trim();
  }
  function filled(of, [hue, hatch]) { // a campaign has a hue and a hatching, as in the SVG
    if (hue < 0) return of("mute");
    const tile = document.createElement("canvas"), scale = devicePixelRatio || 1;
    tile.width = tile.height = Math.round(TILE * scale);
    const pen = tile.getContext("2d");
    pen.scale(tile.width / TILE, tile.width / TILE);
    pen.fillStyle = of(`h${hue}`);
    pen.fillRect(0, 0, TILE, TILE);
    pen.globalAlpha = 0.75;
    pen.strokeStyle = pen.fillStyle = of("hatch");
    pen.lineWidth = 1.6;
    const drawn = [null, "M-1 1l2-2M0 6L6 0M5 7l2-2", null, "M0 3h6"][hatch];
    if (drawn) pen.stroke(new Path2D(drawn));
    if (hatch === 2) pen.fill(new Path2D("M4.1 3a1.1 1.1 0 1 1-2.2 0a1.1 1.1 0 1 1 2.2 0z"));
    return pen.createPattern(tile, "repeat");
  }
  function marked(u, data, of) { // releases dotted, bans solid, numbered as in the table
    const pen = u.ctx, { left, top, width, height } = u.bbox, ratio = devicePixelRatio || 1;
    pen.save();
    pen.font = `${11 * ratio}px system-ui, sans-serif`;
    pen.textAlign = "left";
    let free = left;
    for (const [at, n, kind] of data.marks) {
      const x = u.valToPos(at, "x", true);
      if (x < left || x > left + width) continue;
      pen.strokeStyle = pen.fillStyle = of(kind === "ban" ? "alarm" : "ink");
      pen.lineWidth = ratio;
      pen.setLineDash(kind === "ban" ? [] : [2 * ratio, 3 * ratio]);
      pen.beginPath();
      pen.moveTo(x, top - 12 * ratio);
      pen.lineTo(x, top + height);
      pen.stroke();
      if (x >= free) { pen.fillText(String(n), x + 3 * ratio, top - 3 * ratio); free = x + 14 * ratio; }
    }
    pen.restore();
  }
  function options(data, chart, of, width, moved) {
    const steps = uPlot.paths.stepped({ align: 1 }), bars = uPlot.paths.bars({ align: 1, size: [0.94, Infinity] });
    const n = chart.shares.length, axis = { stroke: of("mute"), font: "11.5px system-ui, sans-serif", grid: { stroke: of("grid"), width: 1 } };
    const times = data.times[width < SLIM ? 1 : 0], band = `${of("mute")}33`;
    return {
      width, height: data.tall, padding: [data.marks.length ? 18 : 8, 8, 0, 0], legend: { show: false },
      cursor: { y: false, points: { show: false }, drag: { x: false, y: false } },
      scales: { x: { time: false, range: () => [data.since, data.until] }, y: { range: () => [0, data.ticks.at(-1)[0]] } },
      axes: [
        { ...axis, size: 26, grid: { show: false }, ticks: { stroke: of("mute"), size: 4 }, splits: () => times.map((t) => t[0]), values: () => times.map((t) => t[1]) },
        { ...axis, size: 56, ticks: { show: false }, splits: () => data.ticks.map((t) => t[0]), values: () => data.ticks.map((t) => t[1]) },
      ],
      series: [{},
        { paths: steps, points: { show: false } }, { paths: steps, points: { show: false } },
        // a campaign's bar reaches to the sum of those before it: the last is drawn first
        ...chart.paints.toReversed().map((paint) => ({ paths: bars, width: 0, points: { show: false }, fill: filled(of, paint) })),
        { paths: steps, stroke: of("ink"), width: 1.6, dash: [6, 4], points: { show: false } }],
      bands: [{ series: [1, 2], fill: band }],
      hooks: { draw: [(u) => marked(u, data, of)], setCursor: [(u) => moved(u)] },
    };
  }
  function columns(data, chart) { // the last value holds until the end of the window
    const sums = [];
    chart.shares.forEach((row, k) => sums.push(row.map((v, i) => (v === null ? undefined : v + (k ? sums[k - 1][i] ?? 0 : 0)))));
    const held = (row) => [...row, row.at(-1)], open = (row) => [...row, undefined];
    return [[...chart.x, data.until], held(chart.high), held(chart.low), ...sums.toReversed().map(open), held(chart.bound)];
  }
  function draw(section) {
    const data = JSON.parse(section.dataset.charts), figure = section.querySelector("figure"), picture = figure.querySelector(".picture");
    const box = make("div", "charts"), moments = [...new Set(data.charts.flatMap((c) => c.x))].sort((a, b) => a - b);
    const told = (chart, at) => chart.told[chart.x.findLastIndex((x) => x <= at)] ?? "not sent to yet";
    const hint = data.charts.length > 1 ? "Point at a day, or focus here and use the arrow keys: all charts follow." : "Point at a day, or focus here and use the arrow keys.";
    Object.entries({ tabindex: 0, role: "slider", "aria-label": `${data.label}: values by time`, "aria-valuemin": 0, "aria-valuemax": moments.length - 1, "aria-valuenow": moments.length - 1 })
      .forEach(([name, value]) => box.setAttribute(name, value));
    const held = data.charts.map((chart) => {
      const cell = make("div", "chart"), stage = make("div", "stage"), words = make("p", "note told", chart.words || hint);
      if (chart.name) cell.append(make("p", "name", chart.name));
      cell.append(stage, words);
      box.append(cell);
      return { chart, stage, words, plot: null };
    });
    const said = make("p", "note told", hint);
    if (data.charts.length > 1) box.append(said);
    let now = -1, busy = false;
    function show(place) { // the moment that the pointer or a key asks for, in all of the charts
      if (busy) return;
      now = place;
      busy = true;
      for (const { chart, words, plot } of held) {
        words.textContent = place < 0 ? chart.words || hint : told(chart, moments[place]);
        plot.setCursor(place < 0 ? { left: -10, top: -10 } : { left: plot.valToPos(Math.max(moments[place], data.since), "x"), top: 1 }, false);
      }
      if (place >= 0) box.setAttribute("aria-valuenow", place);
      const spoken = Math.max(0, place < 0 ? moments.length - 1 : place);
      box.setAttribute("aria-valuetext", held.map(({ chart }) => `${chart.name && `${chart.name}: `}${told(chart, moments[spoken])}`).join(". "));
      busy = false;
    }
    function moved(plot) {
      if (busy) return;
      const { left } = plot.cursor;
      show(left < 0 ? -1 : Math.max(0, moments.findLastIndex((x) => x <= plot.posToVal(left, "x"))));
    }
    function build() {
      const of = paints();
      for (const one of held) {
        one.plot?.destroy();
        const wide = Math.max(200, Math.floor(one.stage.clientWidth));
        one.plot = new uPlot(options(data, one.chart, of, wide, moved), columns(data, one.chart), one.stage);
      }
      show(-1);
    }
    box.addEventListener("keydown", (e) => {
      const last = moments.length - 1, from = now < 0 ? last + 1 : now;
      const place = { ArrowLeft: from - 1, ArrowDown: from - 1, ArrowRight: now + 1, ArrowUp: now + 1, Home: 0, End: last, PageUp: now + 7, PageDown: from - 7, Escape: -1 }[e.key];
      if (place === undefined || e.ctrlKey || e.metaKey || e.altKey) return;
      e.preventDefault();
      show(e.key === "Escape" ? -1 : Math.min(Math.max(place, 0), last));
    });
    picture.before(box);
    section.classList.add("charted");
    build();
    let width = box.clientWidth;
    new ResizeObserver(() => {
      if (box.clientWidth === width || !box.clientWidth) return;
      width = box.clientWidth;
      build();
    }).observe(box);
    dark.addEventListener("change", build);
  }
  document.querySelectorAll("[data-charts]").forEach((section) => {
    try { draw(section); } catch (problem) { // the SVG is there
      section.classList.remove("charted");
      section.querySelector(".charts")?.remove();
      console.warn("chart not drawn", problem);
    }
  });
})();
