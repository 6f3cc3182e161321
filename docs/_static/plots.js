// Draws the figures that the page describes, in the colours of the theme.
addEventListener("DOMContentLoaded", () => {
  const colour = getComputedStyle(document.body).getPropertyValue("--color-foreground-primary");
  for (const place of document.querySelectorAll(".scaling-plot")) {
    const { data, layout } = JSON.parse(place.dataset.figure);
    const look = { paper_bgcolor: "transparent", plot_bgcolor: "transparent", font: { color: colour } };
    Plotly.newPlot(place, data, { ...layout, ...look }, { displayModeBar: false, responsive: true });
  }
});
