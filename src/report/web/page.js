/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Draws the charts of the report from the results in #data (docs/results.md). Text comes in by textContent only. */
(function () {
  "use strict";
  const data = JSON.parse(document.getElementById("data").textContent);
  const results = data.results;
  const names = data.names.map(([mmu, differs]) => (differs ? [mmu, ...differs.split(" ")] : [mmu]));
  const flat = names.map((lines) => lines.join(" "));
  const root = document.documentElement;
  const element = (id) => document.getElementById(id);
  const state = { scale: "cycles", curve: "share" };
  let charts = [];

  /* ---- colours and numbers ---- */

  const color = (name) => getComputedStyle(root).getPropertyValue("--" + name).trim();
  const series = (i) => color("s" + (i % 8));
  const dashes = (i) => [[], [7, 4], [2, 3], [10, 3, 2, 3]][Math.floor(i / 2) % 4];

  function count(x) {
    const units = ["", "k", "M", "G", "T", "P", "E"];
    let i = 0;
    while (Math.abs(x) >= 999.95 && i < 6) { x /= 1000; i++; }
    return (i || !Number.isInteger(x) ? Number(x.toPrecision(4)) : x) + units[i];
  }
  function bytes(x) {
    const units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    let i = 0;
    while (x >= 1023.95 && i < 6) { x /= 1024; i++; }
    return Number(x.toPrecision(4)) + " " + units[i];
  }
  const percent = (x) => Number((100 * x).toPrecision(3)) + " %";
  const sum = (list) => list.reduce((a, b) => a + b, 0);

  /* ---- charts ---- */

  function axis(title, more) {
    return Object.assign({
      title: { display: Boolean(title), text: title, color: color("faint") },
      grid: { color: color("grid") }, border: { color: color("line") },
      ticks: { color: color("text") },
    }, more);
  }
  function ticks(format) {
    return { color: color("text"), maxRotation: 0, callback: (v) => format(v) };
  }
  function draw(id, config) {
    config.options = Object.assign({
      responsive: true, maintainAspectRatio: false, animation: false,
      interaction: { mode: "index", intersect: false },
    }, config.options);
    config.options.plugins = Object.assign({
      legend: { position: "top", align: "start", labels: { color: color("text"), boxWidth: 12, boxHeight: 12 } },
    }, config.options.plugins);
    charts.push(new Chart(element(id), config));
  }
  /* Bars lie down, one for each result, and grow with their number. */
  function fit(id, n) {
    element(id).parentNode.style.height = 90 + 44 * Math.max(n, 2) + "px";
  }
  function tooltip(label, footer) {
    return { tooltip: { callbacks: { label, footer, title: (items) => String(items[0].label).replaceAll(",", " ") } } };
  }
  function stacked(id, parts, value, format, title, max, footer) {
    fit(id, results.length);
    draw(id, {
      type: "bar",
      data: {
        labels: names,
        datasets: parts.map((part) => ({
          label: part.name, data: results.map((r) => value(r, part)), backgroundColor: part.color,
          borderColor: color("panel"), borderWidth: { right: 1 }, maxBarThickness: 34,
        })),
      },
      options: {
        indexAxis: "y",
        scales: {
          x: axis(title, { stacked: true, max, ticks: ticks(format) }),
          y: axis("", { stacked: true, grid: { display: false } }),
        },
        plugins: tooltip((item) => item.dataset.label + ": " + format(item.parsed.x), footer),
      },
    });
  }
  function grouped(id, labels, value, format, title, y) {
    draw(id, {
      type: "bar",
      data: {
        labels,
        datasets: results.map((r, i) => ({
          label: flat[i], data: labels.map((_, j) => value(r, j)), backgroundColor: series(i), maxBarThickness: 46,
        })),
      },
      options: {
        scales: {
          x: axis("", { grid: { display: false } }),
          y: axis(title, Object.assign({ beginAtZero: true, ticks: ticks(format) }, y)),
        },
        plugins: tooltip((item) => item.dataset.label + ": " + format(item.parsed.y)),
      },
    });
  }

  function drawCycles() {
    const share = state.scale === "share";
    const parts = [["user", "user"], ["data", "data stalls"], ["translation", "translation"], ["os", "OS"]]
      .map(([key, name]) => ({ key, name, color: color(key) }));
    const format = share ? percent : count;
    stacked("chart-cycles", parts, (r, part) => r.cycles[part.key] / (share ? r.cycles.total || 1 : 1), format,
      share ? "share of cycles" : "cycles", share ? 1 : undefined, (items) => {
        const r = results[items[0].dataIndex];
        const ratio = r.cycles.total / results[0].cycles.total;
        return "total: " + count(r.cycles.total) + " (" + Number(ratio.toPrecision(3)) + " of the baseline)";
      });
  }

  function drawTlb() {
    const levels = Math.max(...results.map((r) => r.tlb.length));
    grouped("chart-tlb", Array.from({ length: levels }, (_, i) => "L" + (i + 1) + " TLB"), (r, i) =>
      r.tlb[i] && r.instructions ? (1000 * r.tlb[i].misses) / r.instructions : null, count, "misses per 1000 instructions");
  }

  function drawServed() {
    const parts = [["l1", "L1"], ["l2", "L2"], ["llc", "LLC"], ["memory", "memory"]]
      .map(([key, name]) => ({ key, name, color: color(key) }));
    stacked("chart-served", parts, (r, part) => r.walks.refs_served[part.key] / (r.walks.count || 1), count,
      "references per walk");
  }

  /* Walks spread over steps of a quarter of a doubling; a bucket wider than a step is shared out evenly. */
  function latency(r) {
    const last = r.walks.latency.buckets.reduce((most, b) => Math.max(most, b.to + 1), 2);
    const edges = [1];
    while (edges[edges.length - 1] < last) edges.push(2 ** (edges.length / 4));
    edges.push(2 ** (edges.length / 4)); /* an empty step closes the curve */
    const step = new Array(edges.length).fill(0);
    for (const b of r.walks.latency.buckets) {
      const from = Math.max(b.from, 1), to = Math.max(b.to + 1, from + 1);
      for (let i = 0; i + 1 < edges.length; i++) {
        const common = Math.min(to, edges[i + 1]) - Math.max(from, edges[i]);
        if (common > 0) step[i] += (b.count * common) / (to - from);
      }
    }
    const all = r.walks.latency.count || 1;
    let seen = 0;
    /* The step from edge i-1 to edge i belongs to the point at its end, as `stepped: "before"` draws it. */
    return edges.map((x, i) => {
      const share = i ? step[i - 1] / all : 0;
      seen += share;
      return { x, y: state.curve === "sum" ? seen : share };
    });
  }
  function drawLatency() {
    const cumulative = state.curve === "sum";
    draw("chart-latency", {
      type: "line",
      data: {
        datasets: results.map((r, i) => ({
          label: flat[i] + " (p50 " + count(r.walks.latency.p50) + ", p99 " + count(r.walks.latency.p99) + ")",
          data: latency(r), borderColor: series(i), backgroundColor: series(i) + "22", borderWidth: 2,
          borderDash: dashes(i), stepped: cumulative ? false : "before", pointRadius: 0, pointHitRadius: 6,
          fill: !cumulative && results.length < 3, order: -i, /* dashes over lines: curves that agree show both */
        })),
      },
      options: {
        interaction: { mode: "nearest", axis: "x", intersect: false },
        scales: {
          x: axis("cycles of a walk", { type: "logarithmic", ticks: {
            color: color("text"), maxRotation: 0,
            callback: (v) => ([1, 2, 5].includes(Number(String(v)[0])) && /^.0*$/.test(String(v)) ? count(v) : ""),
          } }),
          y: axis("share of walks", { beginAtZero: true, max: cumulative ? 1 : undefined, ticks: ticks(percent) }),
        },
        plugins: { tooltip: { callbacks: {
          title: (items) => (cumulative ? "up to " : "around ") + count(Math.round(items[0].parsed.x)) + " cycles",
          label: (item) => flat[item.datasetIndex] + ": " + percent(item.parsed.y),
        } } },
      },
    });
  }
  function drawMmuCaches() {
    const labels = [...new Set(results.flatMap((r) => r.mmu_caches.map((c) => c.name)))];
    element("section-mmu-caches").hidden = labels.length === 0;
    if (labels.length === 0) return;
    grouped("chart-mmu-caches", labels, (r, i) => {
      const c = r.mmu_caches.find((one) => one.name === labels[i]);
      return c && c.hits + c.misses ? c.hits / (c.hits + c.misses) : null;
    }, percent, "hit rate", { max: 1 });
  }

  /* The eight dearest operations; the rest together. */
  function drawOs() {
    const operations = [...new Set(results.flatMap((r) => Object.keys(r.os.by_operation)))];
    const cycles = (r, name) => (r.os.by_operation[name] ? r.os.by_operation[name].cycles : 0);
    const cost = (name) => sum(results.map((r) => cycles(r, name)));
    const used = operations.filter((name) => cost(name) > 0).sort((a, b) => cost(b) - cost(a));
    const parts = used.slice(0, 7).map((name, i) => ({ name: name.replaceAll("_", " "), members: [name], color: series(i) }));
    if (used.length > 7) parts.push({ name: "others", members: used.slice(7), color: series(7) });
    stacked("chart-os", parts, (r, part) => sum(part.members.map((name) => cycles(r, name))), count, "cycles", undefined,
      (items) => "total: " + count(sum(items.map((item) => item.parsed.x))));
  }

  /* From single pages to all of memory: only a logarithmic scale shows both. */
  function drawFree() {
    const scale = { type: "logarithmic", min: 4096, beginAtZero: false, ticks: ticks(bytes),
      afterBuildTicks: (y) => { y.ticks = powersOf16(y.max).map((value) => ({ value })); } };
    grouped("chart-free", Array.from({ length: 11 }, (_, order) => bytes(4096 * 2 ** order)),
      (r, order) => r.memory.free_blocks[order] * 4096 * 2 ** order || null, bytes, "free memory", scale);
  }
  function powersOf16(max) {
    const list = [];
    for (let v = 4096; v <= max; v *= 16) list.push(v);
    return list;
  }

  /* ---- the guest's kernel: a flame graph for each result ---- */

  function addStack(root, path, instructions) {
    let node = root;
    node.value += instructions;
    for (const name of path.split(";")) {
      if (!node.children.has(name)) node.children.set(name, { name, value: 0, children: new Map() });
      node = node.children.get(name);
      node.value += instructions;
    }
  }
  function drawFlame(parent, node, left, depth, all) {
    let at = left, deepest = depth;
    for (const child of [...node.children.values()].sort((a, b) => a.name.localeCompare(b.name))) {
      const share = child.value / all;
      if (share >= 0.001) {
        const bar = text(parent, "div", share > 0.02 ? child.name : "");
        bar.className = "flame";
        bar.style.left = 100 * at + "%";
        bar.style.width = 100 * share + "%";
        bar.style.top = 1.15 * depth + "rem";
        bar.title = child.name + ": " + count(child.value) + " instructions, " + percent(share);
        deepest = Math.max(deepest, drawFlame(parent, child, at, depth + 1, all));
      }
      at += share;
    }
    return deepest;
  }
  function buildFlames() {
    const guests = results.filter((r) => r.guest && r.guest.profile && r.guest.profile.stacks.length);
    element("section-flames").hidden = guests.length === 0;
    for (const r of guests) {
      const root = { name: "", value: 0, children: new Map() };
      for (const [path, instructions] of r.guest.profile.stacks) addStack(root, path, instructions);
      text(element("flames"), "h3", r.mmu + ", " + r.input + ": " + count(root.value) + " instructions");
      const box = text(element("flames"), "div", "");
      box.className = "flames";
      box.style.height = 1.15 * drawFlame(box, root, 0, 0, root.value) + 1.15 + "rem";
    }
  }

  /* ---- the picture of physical memory ---- */

  const uses = [["free", "free"], ["4K", "4 KiB pages"], ["2M", "2 MiB pages"], ["1G", "1 GiB pages"], ["file", "page cache"],
    ["table", "translation tables"], ["occupied", "taken beforehand"]];
  const ACROSS = 64;

  function cellsOf(r) {
    const cells = [];
    for (const run of r.memory.map)
      for (let i = 0; i < run.cells && cells.length < 1024; i++) cells.push(run);
    return cells;
  }
  function drawMap(canvas, cells) {
    const width = canvas.clientWidth, size = width / ACROSS, rows = Math.ceil(cells.length / ACROSS);
    const zoom = window.devicePixelRatio || 1, context = canvas.getContext("2d");
    canvas.style.height = rows * size + "px";
    canvas.width = Math.round(width * zoom);
    canvas.height = Math.round(rows * size * zoom);
    context.scale(zoom, zoom);
    const shade = Object.fromEntries(uses.map(([key]) => [key, color("use-" + key)]));
    cells.forEach((cell, i) => {
      const x = (i % ACROSS) * size, y = Math.floor(i / ACROSS) * size, side = size - Math.min(1, size / 6);
      const all = sum(uses.map(([key]) => cell[key] || 0)) || 1;
      let top = y + side;
      context.fillStyle = shade.free;
      context.fillRect(x, y, side, side);
      /* What there is little of stays visible: a pixel and a half at least. */
      for (const [key] of uses.slice(1).reverse()) {
        if (!cell[key]) continue;
        const height = Math.min(Math.max((side * cell[key]) / all, 1.5), top - y);
        top -= height;
        context.fillStyle = shade[key];
        context.fillRect(x, top, side, height);
      }
    });
  }
  function showTip(event, text) {
    const tip = element("tip");
    tip.textContent = text;
    tip.style.display = text ? "block" : "none";
    tip.style.left = Math.min(event.clientX + 14, window.innerWidth - tip.offsetWidth - 8) + "px";
    tip.style.top = Math.min(event.clientY + 14, window.innerHeight - tip.offsetHeight - 8) + "px";
  }
  function tellCell(event, canvas, cells, r) {
    const box = canvas.getBoundingClientRect(), size = box.width / ACROSS;
    const i = Math.floor((event.clientY - box.top) / size) * ACROSS + Math.floor((event.clientX - box.left) / size);
    if (!cells[i]) return showTip(event, "");
    const each = r.memory.bytes / 1024;
    const lines = uses.filter(([key]) => cells[i][key]).map(([key, name]) => name + ": " + bytes(cells[i][key]));
    showTip(event, "from " + bytes(i * each) + ", " + bytes(each) + "\n" + lines.join("\n"));
  }
  function text(parent, tag, content) {
    const child = document.createElement(tag);
    child.textContent = content;
    parent.append(child);
    return child;
  }
  /* The same memory by run: neighbours in rank are far apart in hue, the longest run is the darkest. */
  const runShade = (rank) => (rank === 0 ? color("use-free") : rank === 255 ? color("use-occupied")
    : "hsl(" + ((rank - 1) * 137.5 + 210) % 360 + " 65% " + Math.min(40 + rank / 8, 68) + "%)");

  function buildRuns(box, c, i) {
    const cells = c.map.flatMap((part) => new Array(part.cells).fill(part.run));
    text(box, "h4", "by contiguous run");
    const canvas = text(box, "canvas", "");
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", "Physical memory coloured by contiguous run, " + flat[i]);
    const known = Object.entries(c.mappings || {}).filter(([, value]) => value);
    text(box, "p", "Mappings that cover 99 %: " + known.map(([view, value]) =>
      view + " " + count(value[1]) + (view === "anchor" ? " (every " + count(c.anchor_pages) + " pages)" : "")).join(", ") + ".");
    canvas.addEventListener("pointermove", (event) => {
      const size = canvas.getBoundingClientRect().width / ACROSS, at = canvas.getBoundingClientRect();
      const run = cells[Math.floor((event.clientY - at.top) / size) * ACROSS + Math.floor((event.clientX - at.left) / size)];
      showTip(event, !run ? "" : run === 255 ? "smaller runs" : "run number " + run +
        (c.longest[run - 1] ? ": " + bytes(c.longest[run - 1]) : ""));
    });
    canvas.addEventListener("pointerleave", (event) => showTip(event, ""));
    return () => {
      const width = canvas.clientWidth, size = width / ACROSS, zoom = window.devicePixelRatio || 1;
      canvas.style.height = Math.ceil(cells.length / ACROSS) * size + "px";
      canvas.width = Math.round(width * zoom);
      canvas.height = Math.round(Math.ceil(cells.length / ACROSS) * size * zoom);
      const context = canvas.getContext("2d");
      context.scale(zoom, zoom);
      cells.forEach((run, k) => {
        context.fillStyle = runShade(run);
        context.fillRect((k % ACROSS) * size, Math.floor(k / ACROSS) * size, size - Math.min(1, size / 6), size - Math.min(1, size / 6));
      });
    };
  }

  /* Ranges for 99 % over the run, where someone asked for it (os.contiguity_every). */
  function drawContiguity() {
    if (!results.some((r) => (r.memory.contiguity.over_time || []).length)) return;
    element("contiguity").hidden = false;
    draw("chart-contiguity", {
      type: "line",
      data: {
        datasets: results.map((r, i) => ({
          label: flat[i], data: (r.memory.contiguity.over_time || []).map((s) => ({ x: s.accesses, y: s.ranges[1] })),
          borderColor: series(i), backgroundColor: series(i), borderDash: dashes(i), borderWidth: 2, pointRadius: 0,
        })),
      },
      options: {
        scales: {
          x: axis("loads and stores", { type: "linear", ticks: ticks(count) }),
          y: axis("ranges for 99 %", { type: "logarithmic", ticks: ticks(count) }),
        },
      },
    });
  }

  /* Groups of frames by frames in use, on a logarithmic scale: one chart for each kind of group. */
  function buildPlaces() {
    const kinds = new Map();
    for (const r of results)
      for (const p of r.memory.places || []) kinds.set(p.name, Math.max(kinds.get(p.name) || 0, p.frames));
    element("section-places").hidden = kinds.size === 0;
    return [...kinds].map(([name, frames], i) => {
      const box = text(element("places"), "div", "");
      text(box, "h3", "Frames in use of " + name + " of " + frames);
      const chart = text(box, "div", ""), canvas = text(chart, "canvas", "");
      chart.className = "chart";
      canvas.id = "chart-places-" + i;
      canvas.setAttribute("role", "img");
      canvas.setAttribute("aria-label", "Share of " + name + " by frames in use");
      return () => drawPlaces(canvas.id, name);
    });
  }
  function drawPlaces(id, name) {
    const datasets = [];
    const line = (r, i, label, y, more) => datasets.push(Object.assign({
      label, data: y.map((share, x) => ({ x, y: share > 0 ? share : null })).filter((point) => point.y),
      borderColor: series(i), backgroundColor: series(i), borderWidth: 2, pointRadius: 0, pointHitRadius: 6,
    }, more));
    results.forEach((r, i) => {
      const p = (r.memory.places || []).find((one) => one.name === name);
      if (!p) return;
      line(r, i, flat[i], p.used.map((n) => n / (p.groups || 1)), { pointRadius: 2.5 });
      line(r, i, flat[i] + ", theory", p.expected.map((e) => (e * p.groups >= 0.01 ? e : 0)), { borderDash: [6, 4], borderWidth: 1.5 });
    });
    const powers = (y) => {
      const list = [];
      for (let v = 1; v >= y.min / 1.001; v /= 10) list.push({ value: v });
      y.ticks = list;
    };
    const lowest = Math.min(0.1, ...datasets.flatMap((d) => d.data.map((point) => point.y)));
    draw(id, {
      type: "line",
      data: { datasets },
      options: {
        interaction: { mode: "nearest", axis: "x", intersect: false },
        scales: {
          x: axis("frames in use", { type: "linear", ticks: ticks((v) => (Number.isInteger(v) ? v : "")) }),
          y: axis("share of " + name, { type: "logarithmic", min: 10 ** Math.floor(Math.log10(lowest)), max: 1,
            afterBuildTicks: powers, ticks: ticks((v) => "1e" + Math.round(Math.log10(v))) }),
        },
        plugins: { tooltip: { callbacks: {
          title: (items) => items[0].parsed.x + " frames in use",
          label: (item) => item.dataset.label + ": " + Number(item.parsed.y.toPrecision(4)),
        } } },
      },
    });
  }

  function buildMaps() {
    for (const [key, name] of uses) {
      const item = text(element("memory-legend"), "li", "");
      const swatch = text(item, "i", "");
      swatch.className = "swatch";
      swatch.style.background = "var(--use-" + key + ")";
      item.append(name);
    }
    return results.map((r, i) => {
      const box = text(element("memory-maps"), "div", ""), cells = cellsOf(r), c = r.memory.contiguity;
      box.className = "map";
      const head = text(box, "h3", names[i][0]);
      if (names[i].length > 1) text(head, "small", names[i].slice(1).join(" "));
      const canvas = text(box, "canvas", "");
      canvas.setAttribute("role", "img");
      canvas.setAttribute("aria-label", "Use of physical memory, " + flat[i]);
      text(box, "p", bytes(c.resident_bytes) + " resident in " + count(c.runs) + " contiguous runs; " + count(c.runs_99) +
        " of them cover 99 %, the longest is " + bytes(c.longest_bytes) + ". Fragmentation of free memory: " +
        (r.memory.fragmentation === null ? "-" : percent(r.memory.fragmentation)) + ".");
      canvas.addEventListener("pointermove", (event) => tellCell(event, canvas, cells, r));
      canvas.addEventListener("pointerleave", (event) => showTip(event, ""));
      const drawRuns = c.map ? buildRuns(box, c, i) : () => {};
      return () => { drawMap(canvas, cells); drawRuns(); };
    });
  }

  /* ---- all of it ---- */

  function press(attribute, key) {
    for (const button of document.querySelectorAll("[data-" + attribute + "]"))
      button.addEventListener("click", () => {
        state[key] = button.dataset[attribute];
        for (const one of document.querySelectorAll("[data-" + attribute + "]"))
          one.setAttribute("aria-pressed", String(one === button));
        drawAll();
      });
  }
  function drawAll() {
    for (const chart of charts) chart.destroy();
    charts = [];
    drawCycles();
    drawTlb();
    drawServed();
    drawLatency();
    drawMmuCaches();
    drawOs();
    drawFree();
    drawContiguity();
    for (const place of places) place();
    for (const map of maps) map();
  }

  root.classList.add("js");
  Chart.defaults.font.family = getComputedStyle(document.body).fontFamily;
  const maps = buildMaps(), places = buildPlaces();
  buildFlames();
  press("scale", "scale");
  press("curve", "curve");
  element("only-different").addEventListener("change", (event) =>
    document.querySelector(".settings").classList.toggle("only-different", event.target.checked));
  for (const button of document.querySelectorAll(".copy"))
    button.addEventListener("click", () =>
      navigator.clipboard.writeText(button.previousElementSibling.textContent).then(() => {
        button.textContent = "Copied";
      }));
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
  window.addEventListener("resize", () => maps.forEach((map) => map()));
  drawAll();
})();
