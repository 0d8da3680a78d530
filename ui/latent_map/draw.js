// Drawing on the plane's canvases. Lengths are CSS pixels; `plot` is the square {left, top, size} inside
// the axes; `at` maps shared units to pixels: at.x(u), at.y(v), at.length(distance).

/** The colours and the typeface of the page, read from Streamlit's CSS variables. */
function readTheme(element) {
  const style = getComputedStyle(element);
  const value = (name, fallback) => style.getPropertyValue(name).trim() || fallback;
  const paper = value("--st-background-color", "#ffffff");
  const probe = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  probe.fillStyle = paper;
  probe.fillRect(0, 0, 1, 1);
  const [r, g, b] = probe.getImageData(0, 0, 1, 1).data;
  return {
    paper,
    ink: value("--st-text-color", "#1f2328"),
    accent: value("--st-primary-color", "#1c64b4"),
    font: style.fontFamily || "sans-serif",
    dark: 0.299 * r + 0.587 * g + 0.114 * b < 128,
  };
}

/** Text that stays readable on a crowd of dots. */
function haloText(context, theme, text, x, y) {
  context.lineJoin = "round";
  context.lineWidth = 4;
  context.strokeStyle = theme.paper;
  context.globalAlpha = 0.9;
  context.strokeText(text, x, y);
  context.globalAlpha = 1;
  context.fillStyle = theme.ink;
  context.fillText(text, x, y);
}

/** Grid, frame, ticks in the pane's own latent units, and the axes' names. */
function drawAxes(context, theme, plot, view, frame, axes) {
  const { left, top, size } = plot, bottom = top + size;
  const ends = [0, 1].map((i) => {
    const middle = i ? view.y : view.x, centre = frame.centre[axes[i]];
    return [centre + frame.scale * (middle - view.half), centre + frame.scale * (middle + view.half)];
  });
  const place = (i, value) => ((value - ends[i][0]) / (ends[i][1] - ends[i][0])) * size;
  const count = Math.max(3, Math.round(size / 75));
  context.font = `13px ${theme.font}`;
  context.fillStyle = context.strokeStyle = theme.ink;
  context.lineWidth = 1;
  for (const i of [0, 1]) {
    const { values, digits } = niceTicks(ends[i][0], ends[i][1], count);
    for (const value of values) {
      const p = place(i, value), snapped = Math.round(p) + 0.5;
      context.globalAlpha = Math.abs(value) < 1e-9 ? 0.22 : 0.08;
      context.beginPath();
      if (i === 0) {
        context.moveTo(left + snapped, top);
        context.lineTo(left + snapped, bottom);
      } else {
        context.moveTo(left, bottom - snapped);
        context.lineTo(left + size, bottom - snapped);
      }
      context.stroke();
      context.globalAlpha = 0.85;
      context.textAlign = i === 0 ? "center" : "right";
      context.textBaseline = i === 0 ? "top" : "middle";
      if (i === 0) context.fillText(formatNumber(value, digits), left + p, bottom + 7);
      else context.fillText(formatNumber(value, digits), left - 7, bottom - p);
    }
  }
  context.globalAlpha = 0.28;
  context.strokeRect(left + 0.5, top + 0.5, size - 1, size - 1);
  context.globalAlpha = 1;
  context.font = `14px ${theme.font}`;
  context.textAlign = "center";
  context.textBaseline = "bottom";
  context.fillText(`latent ${axes[0] + 1}`, left + size / 2, bottom + 43);
  context.save();
  context.translate(2, top + size / 2);
  context.rotate(-Math.PI / 2);
  context.textBaseline = "top";
  context.fillText(`latent ${axes[1] + 1}`, 0, 0);
  context.restore();
}

/** One dot per class, drawn once; 10,000 copies of a small picture are quicker than 10,000 circles. */
function dotStamps(colours, radius, alpha, ratio) {
  const half = Math.ceil(radius * ratio) + 1;
  return colours.map((colour) => {
    const stamp = document.createElement("canvas");
    stamp.width = stamp.height = 2 * half;
    const context = stamp.getContext("2d");
    context.globalAlpha = alpha;
    context.fillStyle = colour;
    context.beginPath();
    context.arc(half, half, radius * ratio, 0, 2 * Math.PI);
    context.fill();
    return stamp;
  });
}

/** All points in view as dots, in the data's order, so that no class lies on top of the others. Returns how many. */
function drawDots(context, plot, at, projected, labels, stamps, ratio) {
  const half = stamps[0].width / (2 * ratio), side = 2 * half;
  const right = plot.left + plot.size, bottom = plot.top + plot.size;
  let seen = 0;
  for (let i = 0; i < labels.length; i++) {
    const x = at.x(projected[2 * i]), y = at.y(projected[2 * i + 1]);
    if (x < plot.left || x > right || y < plot.top || y > bottom) continue;
    seen++;
    context.drawImage(stamps[labels[i] % stamps.length], x - half, y - half, side, side);
  }
  return seen;
}

/**
 * Points as pictures. Grey ones are printed in their class's colour without a background: tiles are
 * laid on black, tinted, and multiplied into a light page or added to a dark one. Returns how many.
 */
function drawPictures(context, theme, plot, at, projected, labels, colours, tiles, ratio) {
  const { pack, atlas, chosen, side, coloured } = tiles;
  const tint = document.createElement("canvas");
  tint.width = tint.height = Math.round(plot.size * ratio);
  const ink = tint.getContext("2d");
  ink.scale(ratio, ratio);
  ink.translate(-plot.left, -plot.top);
  ink.imageSmoothingEnabled = side < pack.side;
  const cover = () => ink.fillRect(plot.left, plot.top, plot.size, plot.size);
  if (!coloured) cover();
  const drawn = [];
  for (const i of chosen) {
    const x = Math.round(at.x(projected[2 * i]) - side / 2), y = Math.round(at.y(projected[2 * i + 1]) - side / 2);
    if (x < plot.left - side || x > plot.left + plot.size || y < plot.top - side || y > plot.top + plot.size) continue;
    const from = pack.side;
    ink.drawImage(atlas, (i % pack.columns) * from, Math.floor(i / pack.columns) * from, from, from, x, y, side, side);
    drawn.push([i, x, y]);
  }
  if (!coloured) {
    const opposite = (hex) => `#${(0xffffff - parseInt(hex.slice(1), 16)).toString(16).padStart(6, "0")}`;
    ink.globalCompositeOperation = "multiply";
    for (const [i, x, y] of drawn) {
      const colour = colours[labels[i] % colours.length];
      ink.fillStyle = theme.dark ? colour : opposite(colour);
      ink.fillRect(x, y, side, side);
    }
    if (!theme.dark) {
      ink.globalCompositeOperation = "difference";
      ink.fillStyle = "#ffffff";
      cover();
    }
    context.globalCompositeOperation = theme.dark ? "lighter" : "multiply";
  }
  context.drawImage(tint, plot.left, plot.top, plot.size, plot.size);
  context.globalCompositeOperation = "source-over";
  return drawn.length;
}

/** One- and two-sigma ellipses of the Gaussian that the shared units are centred on. Returns their labels' boxes. */
function drawGaussian(context, theme, at, shape) {
  const boxes = [];
  for (const sigma of [1, 2]) {
    const x = at.x(0), y = at.y(0);
    const trace = () => {
      context.beginPath();
      context.ellipse(x, y, at.length(shape.major) * sigma, at.length(shape.minor) * sigma, -shape.angle, 0, 2 * Math.PI);
    };
    context.setLineDash([]);
    context.strokeStyle = theme.paper;
    context.globalAlpha = 0.75;
    context.lineWidth = 4;
    trace();
    context.stroke();
    context.setLineDash(sigma === 1 ? [] : [7, 5]);
    context.strokeStyle = theme.ink;
    context.globalAlpha = 0.9;
    context.lineWidth = 1.6;
    trace();
    context.stroke();
    context.globalAlpha = 1;
    const major = at.length(shape.major) * sigma, minor = at.length(shape.minor) * sigma;
    // The label sits at the ellipse's lowest point's height, under its centre.
    const drop = Math.hypot(major * Math.sin(shape.angle), minor * Math.cos(shape.angle));
    boxes.push({ text: `${sigma} sigma`, x, y: y + drop, fixed: true });
  }
  context.setLineDash([]);
  return boxes;
}

/** Write the labels {text, x, y, weight} with a halo, inside the plot. */
function drawLabels(context, theme, plot, labels) {
  context.textAlign = "center";
  context.textBaseline = "middle";
  for (const label of labels) {
    if (label.y < plot.top + 8 || label.y > plot.top + plot.size - 8) continue;
    context.font = label.font;
    haloText(context, theme, label.text, label.x, label.y);
  }
}

/** A pinned place: its posterior's ellipses, its draws as small crosses, and a ring around it. */
function drawPin(context, theme, at, place, spread, draws) {
  const x = at.x(place[0]), y = at.y(place[1]);
  const line = (width, colour, trace) => {
    context.lineWidth = width;
    context.strokeStyle = colour;
    trace();
    context.stroke();
  };
  const twice = (width, trace) => {
    line(width + 2.5, theme.paper, trace);
    line(width, theme.accent, trace);
  };
  if (spread) {
    for (const sigma of [1, 2]) {
      twice(1.8, () => {
        context.beginPath();
        context.ellipse(x, y, at.length(spread[0]) * sigma, at.length(spread[1]) * sigma, 0, 0, 2 * Math.PI);
      });
    }
  }
  for (const [u, v] of draws) {
    const cx = at.x(u), cy = at.y(v), arm = 3.5;
    twice(1.6, () => {
      context.beginPath();
      context.moveTo(cx - arm, cy - arm);
      context.lineTo(cx + arm, cy + arm);
      context.moveTo(cx - arm, cy + arm);
      context.lineTo(cx + arm, cy - arm);
    });
  }
  twice(2.4, () => {
    context.beginPath();
    context.arc(x, y, 7, 0, 2 * Math.PI);
  });
}
