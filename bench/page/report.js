/* Draws the charts of the report from the figures in the page. Every figure is in a table as well. */
(function () {
    "use strict";

    var figures = JSON.parse(document.getElementById("figures").textContent);
    var newest = figures.runs[figures.runs.length - 1];
    var dark = window.matchMedia("(prefers-color-scheme: dark)");
    /* Told apart in both schemes, and by most who see colours differently. */
    var palette = ["#7f8894", "#0b84e3", "#e07b00", "#159a63", "#c2419a", "#8a63d2", "#b08900", "#d0453e"];
    var drawn = [];

    function css(name) {
        return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
    }

    function unique(values) {
        return values.filter(function (value, i) { return values.indexOf(value) === i; });
    }

    function isOurs(peer) {
        return peer.indexOf("resqlite") === 0;
    }

    /* Three digits, without noughts that say nothing. */
    function short(value) {
        return value == null ? "" : String(Number(value.toPrecision(3)));
    }

    function colours(peers) {
        var others = [0, 2, 4, 6, 7], ours = [1, 3, 5], map = {};
        peers.forEach(function (peer) {
            var from = isOurs(peer) ? ours : others;
            map[peer] = palette[from.length > 0 ? from.shift() : Object.keys(map).length % palette.length];
        });
        return map;
    }

    function axis(more) {
        return Object.assign({
            stroke: css("--soft"),
            grid: {stroke: css("--line"), width: 1},
            ticks: {stroke: css("--line"), width: 1},
            font: "12px system-ui, sans-serif"
        }, more);
    }

    /* On a logarithmic axis uPlot offers nine marks a decade; keep those that have room. */
    function sparse(u, splits) {
        return splits.map(function (v) {
            var first = Number(v.toExponential().split("e")[0]);
            return first === 1 || ((first === 2 || first === 5) && splits.length < 30) ? v : null;
        });
    }

    function labels(u, splits) {
        return splits.map(function (v) { return v == null ? "" : short(v); });
    }

    /* One digit and noughts, where a mark of a logarithmic axis can be. */
    function mark(value, round) {
        var step = Math.pow(10, Math.floor(Math.log10(value)));
        return Number((round(value / step) * step).toPrecision(1));
    }

    /* The range of a logarithmic axis: a little beyond the figures. uPlot fails on some that end between marks. */
    function around(low, high) {
        return [mark(low / 1.25, Math.floor), mark(high * 1.25, Math.ceil)];
    }

    /* Cases in the order of the numbers that they are, if they are numbers. */
    function inOrder(cases) {
        return cases.every(function (name) { return Number(name) > 0; }) ? cases.sort(function (a, b) { return a - b; }) : cases;
    }

    function plot(box, options, data) {
        var u = new uPlot(Object.assign({width: Math.max(280, box.clientWidth - 16), height: 260}, options), data, box);
        drawn.push(u);
        return u;
    }

    function entriesOf(workload) {
        return newest.entries.filter(function (e) { return e.workload === workload; });
    }

    /* -------------------------------------------------------- bars, by peer -- */

    /* Bars that stand on the line of 1, drawn by hand: uPlot's own stand on the axis. */
    function drawBars(cases, peers, values, colour) {
        return function (u) {
            var c = u.ctx, one = u.valToPos(1, "y", true);
            var slot = u.valToPos(1, "x", true) - u.valToPos(0, "x", true);
            var width = Math.max(2, Math.min(26 * devicePixelRatio, 0.8 * slot / peers.length));
            c.save();
            cases.forEach(function (name, i) {
                var here = peers.filter(function (p, k) { return values[k][i] != null; });
                here.forEach(function (peer, k) {
                    var x = u.valToPos(i, "x", true) + (k - here.length / 2) * width;
                    var y = u.valToPos(values[peers.indexOf(peer)][i], "y", true);
                    c.fillStyle = colour[peer];
                    c.fillRect(x + 1, Math.min(y, one), width - 2, Math.max(1, Math.abs(y - one)));
                });
            });
            c.strokeStyle = css("--text");
            c.lineWidth = devicePixelRatio;
            c.beginPath();
            c.moveTo(u.bbox.left, one);
            c.lineTo(u.bbox.left + u.bbox.width, one);
            c.stroke();
            c.restore();
        };
    }

    function peersChart(box) {
        var entries = entriesOf(box.dataset.workload).filter(function (e) { return e.to !== e.peer && e.ratio > 0; });
        var cases = inOrder(unique(entries.map(function (e) { return e.name; })));
        var peers = unique(entries.map(function (e) { return e.peer; }));
        var colour = colours(peers);
        var ratios, values;
        if (entries.length === 0)
            return;
        values = peers.map(function (peer) {
            return cases.map(function (name) {
                var found = entries.filter(function (e) { return e.name === name && e.peer === peer; })[0];
                return found ? found.ratio : null;
            });
        });
        ratios = entries.map(function (e) { return e.ratio; }).concat([0.9, 1.1]);
        plot(box, {
            cursor: {drag: {x: false, y: false}, points: {show: false}},
            scales: {
                x: {time: false, range: [-0.5, cases.length - 0.5]},
                y: {distr: 3, range: around(Math.min.apply(null, ratios), Math.max.apply(null, ratios))}
            },
            axes: [
                axis({
                    splits: cases.map(function (name, i) { return i; }),
                    values: function () { return cases; },
                    grid: {show: false},
                    rotate: cases.join("").length > 90 ? -25 : 0,
                    size: cases.join("").length > 90 ? 70 : 34
                }),
                axis({filter: sparse, values: function (u, s) { return labels(u, s).map(function (t) { return t && t + "×"; }); }, size: 60})
            ],
            series: [{label: "case", value: function (u, v) { return v == null ? "" : cases[v]; }}].concat(
                peers.map(function (peer) {
                    return {
                        label: peer, stroke: colour[peer], fill: colour[peer],
                        paths: function () { return null; }, points: {show: false},
                        value: function (u, v) { return v == null ? "–" : short(v) + "×"; }
                    };
                })),
            hooks: {draw: [drawBars(cases, peers, values, colour)]}
        }, [cases.map(function (name, i) { return i; })].concat(values));
    }

    /* --------------------------------------------------------------- curves -- */

    function slope(points) {
        var n = points.length, x = 0, y = 0, xx = 0, xy = 0;
        points.forEach(function (p) {
            var a = Math.log(p.size), b = Math.log(p.median);
            x += a; y += b; xx += a * a; xy += a * b;
        });
        return (n * xy - x * y) / (n * xx - x * x);
    }

    function scalingChart(box) {
        var entries = entriesOf(box.dataset.workload).filter(function (e) { return e.size > 0 && e.median > 0; });
        var sizes = unique(entries.map(function (e) { return e.size; })).sort(function (a, b) { return a - b; });
        var peers = unique(entries.map(function (e) { return e.peer; }));
        var colour = colours(peers);
        plot(box, {
            title: box.dataset.workload,
            height: 300,
            cursor: {drag: {x: false, y: false}},
            scales: {
                x: {time: false, distr: 3, range: around(sizes[0], sizes[sizes.length - 1])},
                y: {distr: 3}
            },
            axes: [axis({filter: sparse, values: labels}), axis({filter: sparse, values: labels, size: 64})],
            series: [{label: "size", value: function (u, v) { return v == null ? "" : short(v); }}].concat(
                peers.map(function (peer) {
                    var points = entries.filter(function (e) { return e.peer === peer; });
                    return {
                        label: peer + (points.length > 2 ? " (slope " + slope(points).toFixed(2) + ")" : ""),
                        stroke: colour[peer], width: isOurs(peer) ? 2.5 : 1.5, points: {show: true, size: 6},
                        spanGaps: true,
                        value: function (u, v) { return v == null ? "–" : short(v) + " " + points[0].unit; }
                    };
                }))
        }, [sizes].concat(peers.map(function (peer) {
            return sizes.map(function (size) {
                var found = entries.filter(function (e) { return e.peer === peer && e.size === size; })[0];
                return found ? found.median : null;
            });
        })));
    }

    /* -------------------------------------------------------- distributions -- */

    /* One curve for each peer over a common axis of times: uPlot joins them. */
    function latencyOf(box, name) {
        var entries = newest.entries.filter(function (e) { return e.workload + "/" + e.name === name && e.quantiles.length > 0; });
        var peers = entries.map(function (e) { return e.peer; });
        var colour = colours(peers);
        var tables = entries.map(function (e) {
            var points = [];
            e.quantiles.forEach(function (time, i) {
                if (points.length > 0 && points[points.length - 1][0] === time)
                    points[points.length - 1][1] = figures.percents[i];
                else if (time > 0)
                    points.push([time, figures.percents[i]]);
            });
            return [points.map(function (p) { return p[0]; }), points.map(function (p) { return p[1]; })];
        });
        var times = [].concat.apply([], tables.map(function (t) { return t[0]; }));
        return plot(box, {
            height: 300,
            cursor: {drag: {x: false, y: false}},
            scales: {x: {time: false, distr: 3, range: around(Math.min.apply(null, times), Math.max.apply(null, times))}, y: {range: [0, 100]}},
            axes: [
                axis({filter: sparse, values: labels, label: entries[0].unit, labelSize: 20, labelFont: "12px system-ui, sans-serif"}),
                axis({values: function (u, s) { return s.map(function (v) { return v + " %"; }); }, size: 56})
            ],
            series: [{label: entries[0].unit, value: function (u, v) { return v == null ? "" : short(v); }}].concat(
                peers.map(function (peer) {
                    return {
                        label: peer, stroke: colour[peer], width: isOurs(peer) ? 2.5 : 1.5, spanGaps: true,
                        paths: uPlot.paths.stepped({align: 1}), points: {show: false},
                        value: function (u, v) { return v == null ? "–" : v + " %"; }
                    };
                }))
        }, uPlot.join(tables));
    }

    function latencyChart(box) {
        var names = unique(newest.entries.filter(function (e) { return e.quantiles.length > 0; }).map(function (e) { return e.workload + "/" + e.name; }));
        var choice = document.createElement("select"), shown;
        if (names.length === 0)
            return;
        names.forEach(function (name) {
            choice.add(new Option(name));
        });
        choice.setAttribute("aria-label", "case");
        choice.value = box.dataset.shown || (names.indexOf("point/key") >= 0 ? "point/key" : names[0]);
        choice.onchange = function () {
            box.dataset.shown = choice.value;
            drawn.splice(drawn.indexOf(shown), 1);
            shown.destroy();
            shown = latencyOf(box, choice.value);
        };
        box.appendChild(choice);
        shown = latencyOf(box, choice.value);
    }

    /* -------------------------------------------------------------- history -- */

    function historyChart(box) {
        var wanted = newest.entries.filter(function (e) { return e.workload === box.dataset.workload && isOurs(e.peer) && e.to !== e.peer && e.ratio > 0; });
        var runs = figures.runs, ratios = [];
        var series = wanted.map(function (e) {
            return runs.map(function (run) {
                var found = run.entries.filter(function (x) {
                    return x.workload === e.workload && x.name === e.name && x.peer === e.peer && x.to === e.to;
                })[0];
                if (found && found.ratio > 0)
                    ratios.push(found.ratio);
                return found && found.ratio > 0 ? found.ratio : null;
            });
        });
        if (wanted.length === 0)
            return;
        plot(box, {
            title: box.dataset.workload,
            height: 280,
            cursor: {drag: {x: false, y: false}},
            scales: {x: {time: false, range: [-0.25, runs.length - 0.75]}, y: {distr: 3, range: around(Math.min.apply(null, ratios), Math.max.apply(null, ratios))}},
            axes: [
                axis({splits: runs.map(function (r, i) { return i; }), values: function () { return runs.map(function (r) { return r.label; }); }}),
                axis({filter: sparse, values: function (u, s) { return labels(u, s).map(function (t) { return t && t + "×"; }); }, size: 60})
            ],
            series: [{label: "run", value: function (u, v) { return v == null ? "" : runs[v].label; }}].concat(
                wanted.map(function (e, i) {
                    return {
                        label: e.name + (e.peer === "resqlite" ? "" : " " + e.peer.slice("resqlite-".length)), stroke: palette[i % palette.length], width: 1.5,
                        dash: i >= palette.length ? [6, 3] : undefined, points: {show: true, size: 5},
                        value: function (u, v) { return v == null ? "–" : short(v) + "×"; }
                    };
                }))
        }, [runs.map(function (r, i) { return i; })].concat(series));
    }

    var kinds = {peers: peersChart, scaling: scalingChart, latency: latencyChart, history: historyChart};

    function draw() {
        drawn.splice(0).forEach(function (u) { u.destroy(); });
        document.querySelectorAll(".chart").forEach(function (box) {
            box.textContent = "\u00a0"; /* not empty, so that it has a width to draw in */
            var width = box.clientWidth;
            box.textContent = "";
            if (width > 0) {
                box.style.display = "block";
                kinds[box.dataset.kind](box);
                box.style.display = "";
            }
        });
        document.documentElement.dataset.charts = drawn.length;
    }

    dark.addEventListener("change", draw);
    window.addEventListener("resize", function () {
        drawn.forEach(function (u) {
            u.setSize({width: Math.max(280, u.root.parentNode.clientWidth - 16), height: u.height});
        });
    });
    draw();
}());
