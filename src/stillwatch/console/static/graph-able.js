// Tells whether this browser has WebGL. Asked in a worker: a browser's first context may take a
// second where no graphics card helps, and whoever reads the page shall not wait for it.
"use strict";
const canvas = new OffscreenCanvas(1, 1);
const context = canvas.getContext("webgl2") || canvas.getContext("webgl");
postMessage(Boolean(context)); // it is kept: the contexts of the graph then come at once
