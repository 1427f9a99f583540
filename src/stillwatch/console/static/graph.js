// The graph of links by WebGL: sigma.js draws what the server laid out. Where it cannot, the SVG of
// the same nodes stays. It stays in the page in any case, for screen readers and for paper.
"use strict";
(() => {
  const W = 700, H = 460; // the server's drawing
  const DISC = 4, RING = 5; // before them the four shapes of kinds of links, by place in turn
  const REACH = [1.4142, 1.25, 1.7678, 1.25, 1, 1]; // of a shape's circle, by the server's radius
  const still = matchMedia("(prefers-reduced-motion: reduce)"), dark = matchMedia("(prefers-color-scheme: dark)");
  const loading = new Map(), drawn = new Map(); // of each box that is drawn, how to end it

  function load(address) {
    if (!loading.has(address)) {
      loading.set(address, new Promise((done, failed) => {
        const script = Object.assign(document.createElement("script"), { src: address });
        script.addEventListener("load", done);
        script.addEventListener("error", () => {
          loading.delete(address); // so that the next graph asks again
          script.remove();
          failed(new Error(`not loaded: ${address}`));
        });
        document.head.append(script);
      }));
    }
    return loading.get(address);
  }
  let able = null; // asked once a page; the worker is never ended: its end was measured to hold the page up for 0.5 s
  const answer = (address) => new Promise((done) => {
    const worker = new Worker(address);
    worker.addEventListener("message", ({ data }) => done(data));
    worker.addEventListener("error", () => done(false)); // no WebGL off the page: an old browser
  });
  function here() { // the context that was asked for is given up at once
    const context = document.createElement("canvas").getContext("webgl");
    context?.getExtension("WEBGL_lose_context")?.loseContext();
    return Boolean(context);
  }
  // sigma's file asks twice how large a texture may be as it is read, each time of a context of its own
  // that it never gives up: while it is read all that are made are noted, and given up after.
  async function loadAll(addresses) {
    const canvas = HTMLCanvasElement.prototype, { getContext } = canvas, made = new Set();
    canvas.getContext = function (kind, ...rest) {
      const context = getContext.call(this, kind, ...rest);
      if (context && kind.startsWith("webgl")) made.add(context);
      return context;
    };
    try {
      for (const address of addresses) await load(address);
    } finally {
      canvas.getContext = getContext;
      for (const context of made) context.getExtension("WEBGL_lose_context")?.loseContext();
    }
  }
  let needed = null; // one load for all graphs: none is drawn while contexts are noted
  function need(addresses) {
    needed ??= loadAll(addresses).catch((problem) => { needed = null; throw problem; });
    return needed;
  }
  const rgb = (hex) => (hex.length === 4 ? [1, 2, 3].map((i) => hex[i] + hex[i]) : [1, 3, 5].map((i) => hex.slice(i, i + 2)))
    .map((pair) => parseInt(pair, 16));
  const mixed = (one, other, part) => { // as opaque as the page, so that lines that cross add nothing up
    const [a, b] = [rgb(one), rgb(other)];
    return `#${a.map((v, i) => Math.round(v * part + b[i] * (1 - part)).toString(16).padStart(2, "0")).join("")}`;
  };
  function paints() { // the style sheet's colours, of the scheme in force
    const style = getComputedStyle(document.documentElement);
    const of = (name) => style.getPropertyValue(`--${name}`).trim();
    return { hue: (n) => of(`h${n}`), ...Object.fromEntries(
      ["bg", "ink", "mute", "accent", "onshape", "shape-edge"].map((name) => [name.replace("-", "_"), of(name)])) };
  }

  // One program draws all nodes: what a kind is shows in its shape too, never in colour alone.
  function program() {
    const { NodeProgram } = Sigma.rendering, { FLOAT, UNSIGNED_BYTE, TRIANGLES } = WebGLRenderingContext;
    const colour = (name) => ({ name, size: 4, type: UNSIGNED_BYTE, normalized: true });
    return class extends NodeProgram {
      getDefinition() {
        return {
          VERTICES: 3, METHOD: TRIANGLES, UNIFORMS: ["u_matrix", "u_sizeRatio", "u_correctionRatio"],
          ATTRIBUTES: [{ name: "a_position", size: 2, type: FLOAT }, { name: "a_size", size: 1, type: FLOAT },
            { name: "a_shape", size: 1, type: FLOAT }, colour("a_fill"), colour("a_rim"), colour("a_id")],
          CONSTANT_ATTRIBUTES: [{ name: "a_angle", size: 1, type: FLOAT }],
          CONSTANT_DATA: [[0], [2 * Math.PI / 3], [4 * Math.PI / 3]],
          VERTEX_SHADER_SOURCE: `
            attribute vec2 a_position; attribute float a_size, a_shape, a_angle; attribute vec4 a_fill, a_rim, a_id;
            uniform mat3 u_matrix; uniform float u_sizeRatio, u_correctionRatio;
            varying vec4 v_fill, v_rim; varying vec2 v_at; varying float v_shape, v_pixel;
            void main() {
              float reach = a_size * u_correctionRatio / u_sizeRatio * 2.0;
              vec2 corner = 2.0 * vec2(cos(a_angle), sin(a_angle));
              gl_Position = vec4((u_matrix * vec3(a_position + reach * corner, 1.0)).xy, 0.0, 1.0);
              v_at = corner; v_shape = a_shape; v_pixel = 2.0 * u_correctionRatio / reach;
              #ifdef PICKING_MODE
              v_fill = a_id; v_rim = a_id;
              #else
              v_fill = a_fill; v_rim = a_rim;
              #endif
              v_fill.a *= 255.0 / 254.0; v_rim.a *= 255.0 / 254.0; // sigma packs 254 for opaque
            }`,
          FRAGMENT_SHADER_SOURCE: `
            precision highp float;
            varying vec4 v_fill, v_rim; varying vec2 v_at; varying float v_shape, v_pixel;
            float beyond(vec2 at) { // how far outside of the shape, which the unit circle holds
              vec2 p = abs(at);
              if (v_shape < 0.5) return max(p.x, p.y) - 0.7071;
              if (v_shape < 1.5) return (p.x + p.y - 1.0) * 0.7071;
              if (v_shape < 2.5) return max((p.x + 0.19 * at.y - 0.5728) * 0.982, p.y - 0.7071);
              if (v_shape < 3.5) return max(p.x * 0.4472 + p.y * 0.8944 - 0.8944, p.x - 1.0);
              return length(p) - 1.0;
            }
            void main() {
              float far = beyond(v_at) / v_pixel;
              #ifdef PICKING_MODE
              gl_FragColor = far > 0.0 ? vec4(0.0) : v_fill;
              #else
              float rim = v_shape > 4.5 ? 1.6 : 1.0;
              gl_FragColor = mix(mix(v_rim, v_fill, clamp(-far - rim, 0.0, 1.0)), vec4(0.0), clamp(far + 0.5, 0.0, 1.0));
              #endif
            }`,
        };
      }
      processVisibleItem(id, start, node) {
        const { floatColor } = Sigma.utils;
        this.array.set([node.x, node.y, node.size, node.shape, floatColor(node.color), floatColor(node.rim)], start);
        this.array[start + 6] = id;
      }
      setUniforms(now, { gl, uniformLocations: at }) {
        gl.uniform1f(at.u_correctionRatio, now.correctionRatio);
        gl.uniform1f(at.u_sizeRatio, now.sizeRatio);
        gl.uniformMatrix3fv(at.u_matrix, false, now.matrix);
      }
    };
  }

  const pause = () => new Promise((done) => setTimeout(done)); // lets the page answer in between

  function back(box, why) { // to the SVG, which was there all along
    const web = box.closest(".web"), picture = web.querySelector(".picture"), focused = box.contains(document.activeElement);
    web.classList.remove("drawn");
    picture.tabIndex = 0;
    if (focused) picture.focus({ preventScroll: true }); // what is hidden cannot keep it
    box.hidden = true;
    box.dataset.drawn = why;
  }

  async function draw(box) {
    const { nodes, edges } = JSON.parse(box.dataset.graph);
    const web = box.closest(".web"), stage = box.querySelector(".stage"), told = box.querySelector("[aria-live]");
    const picture = web.querySelector(".picture"), hint = told.textContent;
    const graph = new graphology.MultiUndirectedGraph();
    const beside = nodes.map(() => new Set());
    let paint = paints(), at = -1, scale = 1, hidden = new Set();
    nodes.forEach(({ x, y }, i) => graph.addNode(i, { x, y: H - y }));
    edges.forEach(([a, b, kind, , degree], i) => {
      graph.addEdgeWithKey(i, a, b, { kind, degree });
      beside[a].add(b);
      beside[b].add(a);
    });
    const off = (name) => { const b = web.querySelector(`.toggle.${name}`); return Boolean(b) && !b.checked; };
    function filter() { // what is hidden takes its lines along, and a line its accounts that have no other
      const least = [10, 3].find((d) => web.querySelector(`.toggle.d${d}`)?.checked) || 2, without = new Map();
      const left = (kind, degree) => {
        if (!without.has(kind)) without.set(kind, off(`k${kind}`));
        return without.get(kind) || degree < least;
      };
      const roles = { core: off("core"), rim: off("rim") };
      hidden = new Set([...nodes.keys()].filter((i) => ("kind" in nodes[i] ? left(nodes[i].kind, nodes[i].degree) : roles[nodes[i].role])));
      const joined = new Set();
      graph.forEachEdge((key, { kind, degree }, a, b) => {
        const gone = hidden.has(+a) || hidden.has(+b) || left(kind, degree);
        graph.setEdgeAttribute(key, "hidden", gone);
        if (!gone) joined.add(+a).add(+b);
      });
      nodes.forEach((_, i) => { if (!joined.has(i)) hidden.add(i); });
      if (hidden.has(at)) at = -1;
      box.dataset.shown = nodes.length - hidden.size; // programs that look on cannot see into a canvas
    }
    const near = (i) => at < 0 || i === at || beside[at].has(i);
    function node(key, place) {
      const i = +key, n = nodes[i], part = near(i) ? 1 : 0.35;
      const shape = "kind" in n ? n.kind % 4 : n.role === "core" ? DISC : RING;
      const fill = shape === RING ? paint.bg : shape === DISC ? paint.mute : paint.hue(n.hue);
      const rim = shape === RING ? paint.mute : shape === DISC ? paint.bg : paint.shape_edge;
      return { ...place, type: "shape", shape, size: n.r * REACH[shape] * scale, hidden: hidden.has(i),
        color: mixed(fill, paint.bg, part), rim: mixed(rim, paint.bg, part), zIndex: "kind" in n ? 1 : 0, forceLabel: Boolean(n.mark) || i === at };
    }
    function edge(key, { hidden: gone }) {
      const [a, b, , hue] = edges[key], mine = a === at || b === at;
      return { hidden: gone, color: mixed(paint.hue(hue), paint.bg, at < 0 ? 0.45 : mine ? 1 : 0.16), size: mine ? 2.4 : 1.7, zIndex: mine ? 1 : 0 };
    }
    function mark(context, { key, x, y, size, shape }) {
      const i = +key, n = nodes[i];
      if (i === at) {
        context.beginPath();
        context.arc(x, y, size + 4, 0, 2 * Math.PI);
        context.lineWidth = 3;
        context.strokeStyle = paint.accent;
        context.stroke();
      }
      if (!n.mark) return;
      context.font = `700 ${Math.min(Math.max(size / REACH[shape] * 1.15, 8), 18)}px system-ui, sans-serif`;
      context.textAlign = "center";
      context.textBaseline = "middle";
      context.fillStyle = "kind" in n ? paint.onshape : n.role === "core" ? paint.bg : paint.ink;
      if (!near(i)) context.fillStyle = mixed(context.fillStyle, paint.bg, 0.5);
      context.fillText(n.mark, x, y + 0.5);
    }
    const fit = () => { scale = Math.max(0.72, stage.clientWidth / W); };

    web.classList.add("drawn");
    box.hidden = false; // now the stage has a size
    fit();
    filter();
    const moves = !still.matches;
    let sigma = null;
    drawn.set(box, () => { drawn.delete(box); sigma?.kill(); });
    sigma = new Sigma(new graphology.MultiUndirectedGraph(), stage, {
      nodeProgramClasses: { shape: program() }, nodeReducer: node, edgeReducer: edge, defaultDrawNodeLabel: mark,
      stagePadding: 0, zIndex: true, enableCameraRotation: false, minCameraRatio: 0.06, maxCameraRatio: 1.3,
      inertiaRatio: moves ? 3 : 0, inertiaDuration: moves ? 200 : 1, zoomDuration: moves ? 200 : 1,
      doubleClickZoomingDuration: moves ? 200 : 1,
    });
    await pause(); // the programs are compiled: that alone may take most of 200 ms
    sigma.setCustomBBox({ x: [0, W], y: [0, H] });
    sigma.setGraph(graph);
    sigma.setSetting("cameraPanBoundaries", { tolerance: 80, boundaries: { x: [0, W], y: [0, H] } }); // of this graph, not of the empty one
    picture.removeAttribute("tabindex"); // nobody can see it scroll
    const mouse = sigma.getMouseCaptor(), touch = sigma.getTouchCaptor(), camera = sigma.getCamera();
    // sigma asks the graphics card what lies under the pointer, and waits; these few nodes are found by place.
    mouse.removeAllListeners();
    touch.removeAllListeners();
    camera.on("updated", ({ ratio }) => { box.dataset.ratio = ratio; });
    const to = (state) => (still.matches ? camera.setState(state) : camera.animate(state, { duration: 200 }));
    const seen = (i) => sigma.graphToViewport({ x: nodes[i].x, y: H - nodes[i].y });
    const shown = () => nodes.map((_, i) => i).filter((i) => !hidden.has(i));
    function under({ x, y }) {
      let best = -1, least = Infinity;
      for (const i of shown()) {
        const p = seen(i), far = Math.hypot(p.x - x, p.y - y) - sigma.scaleSize(nodes[i].r * scale);
        if (far < 4 && far < least) { best = i; least = far; }
      }
      return best;
    }
    let said = -1;
    function tell(i, live = true) { // aloud what was gone to, not whatever the pointer passes over
      if (i === said) return;
      said = i;
      told.setAttribute("aria-live", live ? "polite" : "off");
      told.textContent = i < 0 ? hint : nodes[i].said;
    }
    function go(i) { // to a node: it is told, its neighbours stay bright, and it comes into sight
      at = i;
      tell(i);
      if (i >= 0) {
        const { x, y } = seen(i), { width, height } = sigma.getDimensions();
        const place = sigma.getNodeDisplayData(i);
        if (x < 20 || y < 20 || x > width - 20 || y > height - 20) to({ x: place.x, y: place.y });
      }
      sigma.refresh({ schedule: true });
    }
    function who(i) {
      go(i);
      const list = document.querySelector(box.dataset.into);
      htmx.ajax("GET", `${box.dataset.who}${i + 1}`, { target: box.dataset.into })
        .then(() => list.scrollIntoView({ block: "nearest" }));
    }
    function step(dx, dy) { // the nearest of those that lie that way; from nowhere the heaviest thing
      const from = at < 0 ? null : seen(at);
      let best = -1, least = Infinity;
      for (const i of shown()) {
        if (!from) { best = i; break; }
        const p = seen(i), x = p.x - from.x, y = p.y - from.y, along = x * dx + y * dy, aside = Math.abs(x * dy - y * dx);
        const far = along + 2 * aside;
        if (i !== at && along > 0 && aside <= along * 1.2 && far < least) { best = i; least = far; }
      }
      if (best >= 0) go(best);
    }
    const zoom = (by) => to({ ratio: camera.getBoundedRatio(camera.getState().ratio * by) });
    const whole = () => to({ x: 0.5, y: 0.5, ratio: 1 });
    const keys = {
      ArrowLeft: () => step(-1, 0), ArrowRight: () => step(1, 0), ArrowUp: () => step(0, -1), ArrowDown: () => step(0, 1),
      Enter: () => { if (at >= 0) who(at); }, "+": () => zoom(0.6), "-": () => zoom(1 / 0.6), 0: whole,
    };
    stage.addEventListener("keydown", (e) => {
      if (e.ctrlKey || e.metaKey || e.altKey) return;
      const act = e.key === "Escape" && at >= 0 ? () => go(-1) : keys[e.key];
      if (!act) return;
      e.preventDefault();
      e.stopPropagation();
      act();
    });
    mouse.on("click", (e) => { const i = under(e); if (i < 0) go(-1); else who(i); });
    // Two clicks in a third of a second are a double one, also on two nodes: it zooms where none is.
    mouse.on("doubleClick", (e) => { const i = under(e); if (i >= 0) { e.preventSigmaDefault(); who(i); } });
    mouse.on("mousemove", (e) => {
      const i = under(e);
      stage.classList.toggle("over", i >= 0);
      tell(i >= 0 ? i : at, false);
    });
    mouse.on("mouseleave", () => tell(at, false));
    // The page scrolls with one finger and with the wheel; two fingers, and Ctrl with the wheel, are the graph's.
    stage.addEventListener("wheel", (e) => { if (!e.ctrlKey && !e.metaKey) e.stopPropagation(); }, { capture: true, passive: true });
    stage.addEventListener("touchstart", (e) => { if (e.touches.length < 2) e.stopPropagation(); }, { capture: true, passive: true });
    mouse.container.style.touchAction = "pan-x pan-y";
    const acts = { near: () => zoom(0.6), far: () => zoom(1 / 0.6), whole };
    const over = new AbortController(), { signal } = over;
    box.addEventListener("click", (e) => acts[e.target.dataset.graphAct]?.(), { signal });
    web.addEventListener("change", () => { filter(); go(at); }, { signal });
    dark.addEventListener("change", () => { paint = paints(); sigma.refresh(); }, { signal });
    let width = stage.clientWidth; // a stage that is hidden has none, and sigma needs one
    const sizes = new ResizeObserver(() => {
      if (!stage.clientWidth || stage.clientWidth === width) return;
      width = stage.clientWidth;
      fit();
      sigma.refresh({ schedule: true });
    });
    sizes.observe(stage);
    function end() { // a browser allows a page few contexts: none is kept of what is gone
      drawn.delete(box);
      over.abort();
      sizes.disconnect();
      sigma.kill();
    }
    drawn.set(box, end);
    stage.addEventListener("webglcontextlost", () => { end(); back(box, "lost"); }, { capture: true, once: true, signal });
    box.dataset.drawn = "yes";
    swept();
  }

  function swept() { // graphs whose box has left the page
    for (const [box, end] of [...drawn]) if (!box.isConnected) end();
  }

  async function begin() {
    swept();
    for (const box of document.querySelectorAll(".webgl[data-graph]:not([data-drawn])")) {
      box.dataset.drawn = "begun";
      try {
        able ??= answer(box.dataset.able);
        if (await able && here()) { // what a worker may do, a page need not be allowed
          await need(box.dataset.needs.split(" "));
          await pause();
          if (box.isConnected) await draw(box);
        } else {
          box.dataset.drawn = "no";
        }
      } catch (problem) { // the SVG is there
        drawn.get(box)?.();
        back(box, "failed");
        console.warn(`The graph of links is shown as a picture: ${problem.message}`);
      }
    }
  }
  for (const done of ["htmx:after:swap", "htmx:after:settle"]) document.addEventListener(done, begin);
  setTimeout(begin);
})();
