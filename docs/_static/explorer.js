// The interactive figure. The formulas are those of cdg_theory.discrete.sweeps, in the same order;
// the browser test compares the numbers drawn here with the library's.
"use strict";

const Explorer = (() => {
  const sum = (values) => values.reduce((total, value) => total + value, 0);
  const mean = (values) => sum(values) / values.length;

  // ---- the metric: weights (alpha, beta, gamma, delta), boundary, spacing ----

  function weights({ metric, lam, beta, curvature }) {
    return {
      h0: [1, lam, 0, 0],
      sobolev: [1, 0, lam, 0],
      ordinary: [1, 1, lam, 0],
      biharmonic: [1, 0, 0, lam],
      spline: [1, 1, 0, lam],
      general: [1, beta, lam, 0],
      curved: [1, beta, lam, curvature],
      l2: [1, 1, 0, 0],
    }[metric];
  }

  const stiffness = ({ spacing, n }, gamma) => gamma * (spacing === "normalized" ? n * n : 1);
  const rigidity = ({ spacing, n }, delta) => delta * (spacing === "normalized" ? n ** 4 : 1);

  // ---- k = M⁻¹ g: two sweeps, closed by the mean ----

  function pathFactors(beta, c, n) {
    let excess = beta;
    const carry = [], gain = [];
    for (let i = 0; i < n; i++) {
      carry.push(c / (c + excess));
      gain.push(1 / (c + excess));
      excess = beta + carry[i] * excess;
    }
    gain[n - 1] = 0; // the mean constraint stands in for the last equation
    const closure = Array(n).fill(1);
    for (let i = n - 2; i >= 0; i--) closure[i] = carry[i] * closure[i + 1];
    return { carry, gain, closure, flux: null };
  }

  function cycleFactors(beta, c, n) {
    const pivot = c + beta / 2 + Math.sqrt(beta) * Math.sqrt(c + beta / 4);
    const powers = Array.from({ length: n }, (_, i) => (c / pivot) ** i);
    return {
      carry: Array(n).fill(c / pivot),
      gain: Array(n).fill(1 / pivot),
      closure: [...powers].reverse(),
      flux: powers,
    };
  }

  function close(u, homogeneous) {
    const excess = sum(u) / sum(homogeneous);
    return u.map((value, i) => value - excess * homogeneous[i]);
  }

  // ---- with a curvature: the same sweeps over pairs (level, moment), in the ring of matrices
  // [[a + cb, b], [-wb, a]] with w = beta d, see cdg_theory.discrete.curvature ----

  function curvedSolve(r, beta, c, d, periodic) {
    const n = r.length, p = c / d, q = beta / d, w = beta * d;
    const times = ([a, b], [e, f]) => [a * e - w * b * f, (a + c * b) * f + b * e];
    const act = ([a, b], [x, m]) => [(a + c * b) * x + b * m, a * m - w * b * x];
    const plus = (u, v, sign = 1) => [u[0] + sign * v[0], u[1] + sign * v[1]];
    const total = (pairs) => pairs.reduce((u, v) => plus(u, v), [0, 0]);
    const inverse = ([a, b]) => {
      const determinant = a * (a + c * b) + w * b * b;
      return [(a + c * b) / determinant, -b / determinant];
    };
    const carry = [];
    for (let i = 0, A = 0, B = 1; i < n - 1; i++) {
      const W = q * A * A + p * A * B + B * B, N = 1 + 2 * q * A + p * B + q * W;
      carry.push([(1 + q * A) / N, B / d / N]);
      [A, B] = [(A + W) / N, 1 + B / N];
    }
    const closure = Array(n).fill([1, 0]);
    for (let i = n - 2; i >= 0; i--) closure[i] = times(carry[i], closure[i + 1]);
    const share = inverse(total(closure));
    const path = (loads) => {
      const x = [...loads];
      for (let i = 0; i < n - 1; i++) x[i + 1] = plus(x[i + 1], act(carry[i], x[i]));
      x[n - 1] = [0, 0];
      for (let i = n - 2; i >= 0; i--) x[i] = act(carry[i], plus(x[i + 1], x[i]));
      const excess = act(share, total(x));
      return x.map((pair, i) => plus(pair, act(closure[i], excess), -1));
    };
    const loads = r.map((value) => [0, value]);
    if (!periodic) return path(loads).map(([x]) => x);
    const dipole = r.map((_, i) => [0, (i === 0) - (i === n - 1)]);
    const seam = path(dipole).map(([b, a]) => [a, b]);
    const release = inverse([1 + 2 * seam[0][0], 2 * seam[0][1]]);
    const flux = act(release, total(seam.map(([a, b], i) => [-b * r[i], -a * r[i]])));
    loads[0] = plus(loads[0], flux);
    const x = path(loads);
    const missing = act(release, plus(plus(x[n - 1], x[0], -1), flux, -1));
    return x.map((pair, i) => plus(pair, act(seam[i], missing))[0]);
  }

  function gradient(g, setting) {
    const [alpha, beta, gamma, delta] = weights(setting);
    const n = g.length, c = stiffness(setting, gamma), average = mean(g);
    if (n === 1) return [average / alpha];
    const r = g.map((value) => value - average);
    if (delta > 0) {
      const periodic = setting.boundary === "periodic";
      return curvedSolve(r, beta, c, rigidity(setting, delta), periodic)
        .map((value) => average / alpha + value);
    }
    if (c === 0) return r.map((value) => average / alpha + value / beta);
    const factors = (setting.boundary === "natural" ? pathFactors : cycleFactors)(beta, c, n);
    let y = [...r];
    for (let i = 0; i < n - 1; i++) y[i + 1] += factors.carry[i] * y[i];
    if (factors.flux) y = close(y, factors.flux);
    const x = y.map((value, i) => factors.gain[i] * value);
    for (let i = n - 2; i >= 0; i--) x[i] += factors.carry[i] * x[i + 1];
    return close(x, factors.closure).map((value) => average / alpha + value);
  }

  // ---- spectrum: what is left of mode m ----

  function spectrum(setting) {
    const [alpha, beta, gamma, delta] = weights(setting);
    const { n, boundary } = setting, c = stiffness(setting, gamma), d = rigidity(setting, delta);
    const natural = boundary === "natural";
    const modes = Array.from({ length: natural ? n : Math.floor(n / 2) + 1 }, (_, m) => m);
    const left = modes.map((m) => {
      if (m === 0) return 1 / alpha;
      const sine = Math.sin((Math.PI * m) / (natural ? 2 * n : n));
      const ell = 4 * sine * sine;
      return 1 / (beta + c * ell + d * ell * ell);
    });
    // On the cycle every mode is a cosine and a sine, but the constant and, for even n, the last.
    const copies = modes.map((m) => (natural || m === 0 || 2 * m === n ? 1 : 2));
    return { modes, left, kept: sum(left.map((f, i) => copies[i] * f * f)) / n };
  }

  // ---- a reproducible noisy gradient ----

  function noise(count) {
    let state = 20081076;
    const uniform = () => {
      state = (state + 0x6d2b79f5) | 0;
      let t = Math.imul(state ^ (state >>> 15), 1 | state);
      t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
      return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
    };
    return Array.from({ length: count }, () =>
      Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform()));
  }

  function signal(n, level) {
    const white = noise(n);
    return white.map((e, i) => 0.4 + Math.sin((2 * Math.PI * (i + 0.5)) / n) + level * e);
  }

  function compute(setting) {
    const g = signal(setting.n, setting.noise);
    const impulse = Array(setting.n).fill(0);
    impulse[setting.channel] = 1;
    return {
      gradient: g,
      smoothed: gradient(g, setting),
      kernel: gradient(impulse, setting),
      ...spectrum(setting),
    };
  }

  return { compute, weights };
})();

document.addEventListener("DOMContentLoaded", () => {
  const form = document.getElementById("explorer");
  if (!form) return;
  const field = (name) => form.elements.namedItem(name);
  const number = (value) => Number(value.toPrecision(3)).toString();

  function read() {
    const n = Math.round(2 ** Number(field("n").value));
    return {
      metric: field("metric").value,
      boundary: field("boundary").value,
      spacing: field("spacing").value,
      lam: 10 ** Number(field("lam").value),
      beta: 10 ** Number(field("beta").value),
      curvature: 10 ** Number(field("curvature").value),
      n,
      noise: Number(field("noise").value),
      channel: Math.min(n - 1, Math.floor(Number(field("channel").value) * n)),
    };
  }

  function palette() {
    const style = getComputedStyle(document.body);
    const ink = style.getPropertyValue("--color-foreground-primary").trim() || "#000";
    const grid = style.getPropertyValue("--color-background-border").trim() || "#ddd";
    const brand = style.getPropertyValue("--color-brand-content").trim() || "#2456b8";
    return { ink, grid, brand, grey: "#9a9aa5" };
  }

  function layout(colours, title, x, y) {
    const axis = { gridcolor: colours.grid, zerolinecolor: colours.grid, automargin: true };
    return {
      title: { text: title, font: { size: 14 } },
      font: { color: colours.ink, family: "inherit" },
      paper_bgcolor: "rgba(0,0,0,0)",
      plot_bgcolor: "rgba(0,0,0,0)",
      margin: { l: 48, r: 12, t: 40, b: 44 },
      showlegend: false,
      xaxis: { ...axis, ...x },
      yaxis: { ...axis, ...y },
    };
  }

  const options = { responsive: true, displayModeBar: false };

  function draw() {
    const setting = read(), result = Explorer.compute(setting), colours = palette();
    const channels = result.gradient.map((_, i) => i);
    for (const name of ["lam", "beta", "curvature", "noise", "n", "channel"]) {
      field(`${name}-value`).value = number(setting[name]);
    }
    for (const label of form.querySelectorAll("[data-for]")) {
      label.hidden = !label.dataset.for.split(" ").includes(setting.metric);
    }
    // λ has no meaning for the ordinary metric, nor boundary and spacing without a derivative.
    field("lam").disabled = setting.metric === "l2";
    const flat = setting.metric === "l2" || setting.metric === "h0";
    field("boundary").disabled = field("spacing").disabled = flat;

    const line = { color: colours.brand, width: 2.5 };
    const dots = setting.n <= 64 ? "lines+markers" : "lines";
    Plotly.react("explorer-gradient", [
      { x: channels, y: result.gradient, mode: dots, name: "ordinary gradient",
        line: { color: colours.grey, width: 1 }, marker: { size: 4 } },
      { x: channels, y: result.smoothed, mode: "lines", name: "in the metric", line },
    ], { ...layout(colours, "",
      { title: { text: "output channel" } }, {}),
      showlegend: true, legend: { orientation: "h", x: 1, xanchor: "right", y: 1, yanchor: "bottom" } }, options);
    Plotly.react("explorer-kernel", [
      { x: channels, y: result.kernel, mode: dots, line, marker: { size: 4 } },
    ], layout(colours, "response to one channel", { title: { text: "output channel" } }, {}), options);
    Plotly.react("explorer-spectrum", [
      { x: result.modes, y: result.left, mode: dots, line, marker: { size: 4 } },
    ], layout(colours, "what is left of mode m", { title: { text: "m" } },
      { type: "log", exponentformat: "power", dtick: 1 }), options);

    field("mean-before").value = number(result.gradient.reduce((a, b) => a + b) / setting.n);
    field("mean-after").value = number(result.smoothed.reduce((a, b) => a + b) / setting.n);
    field("kept").value = number(result.kept);
    Explorer.current = { setting, weights: Explorer.weights(setting), ...result };
  }

  form.addEventListener("input", draw);
  form.addEventListener("submit", (event) => event.preventDefault());
  new MutationObserver(draw).observe(document.body, { attributeFilter: ["data-theme"] });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  draw();
});
