"use strict";
(() => {
  const config = {
    displaylogo: false,
    showLink: false,
    showEditInChartStudio: false,
    plotlyServerURL: "",
    responsive: false,
    displayModeBar: matchMedia("(pointer: coarse)").matches ? false : "hover",
    modeBarButtons: [["zoom2d", "pan2d", "zoomIn2d", "zoomOut2d", "resetScale2d", "toImage"]],
    toImageButtonOptions: { format: "svg" },
  };
  const source = document.getElementById("figures");
  const figures = source ? JSON.parse(source.textContent) : {};
  const plots = [...document.querySelectorAll(".plot")];
  // Plotly stands in the page as text; reading it takes time that nobody should wait for before the verdict.
  function ready() {
    const text = document.getElementById("plotly");
    if (!text) return;
    const script = document.createElement("script");
    script.textContent = text.textContent;
    text.remove();
    document.head.append(script);
  }
  const touch = matchMedia("(pointer: coarse)").matches;

  // Charts: drawn when they come near, and all of them before the page is printed.
  function narrow(layout, width) {
    if (width >= 560) return layout;
    const slim = structuredClone(layout);
    for (const name of ["xaxis", "yaxis"]) {
      const axis = slim[name];
      if (axis?.ticktext) axis.ticktext = axis.ticktext.map((text) => shortened(text, 14));
    }
    return slim;
  }
  function shortened(text, most) {
    if (text.length <= most || text.includes("&")) return text;
    const half = Math.floor(most / 2);
    return text.slice(0, half) + "…" + text.slice(text.length - half + 1);
  }
  function draw(plot, width) {
    ready();
    const view = Number(plot.dataset.view || 0);
    const figure = figures[plot.dataset.chart][view];
    const room = width || plot.clientWidth;
    if (!room) return; // it is folded away, and drawn when it is unfolded
    const layout = {
      ...narrow(figure.layout, room),
      width: room,
      height: Number.parseInt(plot.style.height, 10),
      dragmode: touch ? false : "zoom",
      font: { family: "inherit", size: room < 560 ? 11 : 13 },
      paper_bgcolor: "rgba(0,0,0,0)",
      plot_bgcolor: "rgba(0,0,0,0)",
    };
    plot.dataset.drawn = String(room);
    // a chart that is drawn anew must not change what it was made of
    const data = structuredClone(figure.data);
    for (const trace of data) {
      // marks in a grid shrink with it
      if (trace.meta?.fit && room < 900) trace.marker.size = Math.max(3, (trace.marker.size * room) / 900);
    }
    return Plotly.react(plot, data, layout, config).then(() => named(plot));
  }
  function named(plot) {
    for (const svg of plot.querySelectorAll("svg")) svg.setAttribute("aria-hidden", "true");
    for (const link of plot.querySelectorAll(".modebar-btn")) link.removeAttribute("href");
  }
  function drawn(plot) { return plot.dataset.drawn !== undefined; }
  const PAPER = 660;
  const folds = [...document.querySelectorAll("details.fold")];
  const unfolded = [];
  let printing = false;
  const watcher = new IntersectionObserver((entries) => {
    for (const entry of entries) if (entry.isIntersecting && !drawn(entry.target)) draw(entry.target);
  }, { rootMargin: "300px" });
  plots.forEach((plot) => watcher.observe(plot));
  let waiting = 0;
  addEventListener("resize", () => {
    clearTimeout(waiting);
    waiting = setTimeout(() => {
      if (printing) return;
      for (const plot of plots) if (drawn(plot) && plot.dataset.drawn !== String(plot.clientWidth)) draw(plot);
    }, 150);
  });
  addEventListener("beforeprint", () => {
    printing = true;
    for (const fold of folds) {
      if (!fold.open) unfolded.push(fold);
      fold.open = true;
    }
    for (const plot of plots) draw(plot, PAPER);
  });
  addEventListener("afterprint", () => {
    printing = false;
    for (const fold of unfolded.splice(0)) fold.open = false;
    for (const plot of plots) if (drawn(plot)) draw(plot);
  });

  // Other views of a chart.
  for (const group of document.querySelectorAll(".views")) {
    const plot = group.parentElement.querySelector(".plot");
    group.addEventListener("click", (event) => {
      const button = event.target.closest("button");
      if (!button) return;
      for (const each of group.children) each.setAttribute("aria-pressed", String(each === button));
      plot.dataset.view = button.dataset.view;
      draw(plot);
    });
  }

  // Tables: headings become buttons that sort, and a field above long tables leaves rows out.
  const collator = new Intl.Collator("en", { numeric: true });
  function key(row, column, numeric) {
    const cell = row.cells[column];
    if (!numeric) return cell.textContent;
    const given = cell.dataset.key ?? cell.textContent.trim();
    return given === "" ? NaN : given === "inf" ? Infinity : Number(given);
  }
  function sort(table, column, heading) {
    const ascending = heading.getAttribute("aria-sort") !== "ascending";
    const numeric = heading.classList.contains("n");
    const sign = ascending ? 1 : -1;
    const body = table.tBodies[0];
    const rows = [...body.rows].map((row) => [key(row, column, numeric), row]);
    rows.sort(([a], [b]) => {
      if (!numeric) return sign * collator.compare(a, b);
      if (Number.isNaN(a) || Number.isNaN(b)) return Number.isNaN(a) - Number.isNaN(b);
      return a === b ? 0 : sign * (a - b);
    });
    body.append(...rows.map(([, row]) => row));
    for (const each of heading.parentElement.cells) each.removeAttribute("aria-sort");
    heading.setAttribute("aria-sort", ascending ? "ascending" : "descending");
  }
  for (const table of document.querySelectorAll("table.sortable")) {
    [...table.tHead.rows[0].cells].forEach((heading, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...heading.childNodes);
      heading.append(button);
      button.addEventListener("click", () => sort(table, column, heading));
    });
    if (table.dataset.search && table.tBodies[0].rows.length >= 12) search(table);
  }
  function search(table) {
    const label = document.createElement("label");
    const field = document.createElement("input");
    const said = document.createElement("span");
    label.className = "search";
    field.type = "search";
    field.placeholder = table.dataset.search;
    said.setAttribute("role", "status");
    label.append("Search ", field, said);
    table.parentElement.before(label);
    const rows = [...table.tBodies[0].rows].map((row) => [row, row.textContent.toLowerCase()]);
    field.addEventListener("input", () => {
      const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
      let left = 0;
      for (const [row, text] of rows) {
        row.hidden = !words.every((word) => text.includes(word));
        left += !row.hidden;
      }
      said.textContent = words.length ? `${left} of ${rows.length} rows` : "";
    });
  }

  // Light and dark.
  const button = document.getElementById("theme");
  const system = matchMedia("(prefers-color-scheme: dark)");
  const root = document.documentElement;
  function dark() { return root.dataset.theme ? root.dataset.theme === "dark" : system.matches; }
  function tell() { button.setAttribute("aria-pressed", String(dark())); }
  button.hidden = false;
  button.addEventListener("click", () => {
    root.dataset.theme = dark() ? "light" : "dark";
    try { localStorage.setItem("graphprune-theme", root.dataset.theme); } catch { /* a file may not remember */ }
    tell();
  });
  system.addEventListener("change", tell);
  tell();
})();
