// What makes the dashboard easier to use. Everything works without it.
"use strict";

(function () {
  // A text that is shown once can be copied.
  document.querySelectorAll("[data-copy]").forEach(function (button) {
    var source = document.getElementById(button.dataset.copy);
    if (!source || !navigator.clipboard) { return; }
    button.hidden = false;
    button.addEventListener("click", function () {
      navigator.clipboard.writeText(source.textContent).then(function () { button.textContent = "Copied"; }, function () { });
    });
  });

  // Plots: the numbers stand in the page, the colours in its style.
  var box = document.querySelector("[data-plots]");
  function token(name) { return getComputedStyle(document.documentElement).getPropertyValue(name).trim(); }
  var drawn = [];
  function draw() {
    drawn.forEach(function (plot) { plot.destroy(); });
    drawn = [];
    var found = JSON.parse(box.dataset.plots);
    var lines = {
      calls: [["Calls", found.calls, "--plot-1"], ["Failed", found.failed, "--plot-2"]],
      times: [["Half", found.half, "--plot-1"], ["95 of 100", found.slow, "--plot-3"]]
    };
    box.querySelectorAll("[data-plot]").forEach(function (place) {
      var mine = lines[place.dataset.plot];
      var axis = { stroke: token("--soft"), grid: { stroke: token("--line"), width: 1 }, ticks: { stroke: token("--line"), width: 1 } };
      var series = [{}].concat(mine.map(function (line) {
        return { label: line[0], stroke: token(line[2]), width: 2, points: { show: false }, spanGaps: false };
      }));
      drawn.push(new uPlot({
        width: Math.max(place.clientWidth, 200), height: 220, axes: [axis, Object.assign({ size: 60 }, axis)],
        scales: { y: { range: function (_, low, high) { return [0, Math.max(high || 0, 1)]; } } }, series: series
      }, [found.at].concat(mine.map(function (line) { return line[1]; })), place));
    });
  }
  if (box && window.uPlot) {
    draw();
    var waiting;
    window.addEventListener("resize", function () { clearTimeout(waiting); waiting = setTimeout(draw, 150); });
    window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  }
})();
