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
  const pixel = probe.getImageData(0, 0, 1, 1).data, [r, g, b] = pixel;
  return {
    paper,
    paperWord: new Uint32Array(pixel.buffer)[0],
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

/** Coverage of a disc of `radius` pixels, at 4 x 4 positions within a pixel: {side, masks [16][side * side]}. */
function discMasks(radius, alpha) {
  const side = Math.ceil(2 * radius) + 2, masks = [];
  for (let sub = 0; sub < 16; sub++) {
    const cx = radius + 1 + ((sub & 3) + 0.5) / 4, cy = radius + 1 + ((sub >> 2) + 0.5) / 4;
    masks.push(Float32Array.from({ length: side * side }, (_, i) => {
      const gap = Math.hypot((i % side) + 0.5 - cx, Math.floor(i / side) + 0.5 - cy);
      return alpha * Math.min(1, Math.max(0, radius + 0.5 - gap));
    }));
  }
  return { side, masks };
}

/**
 * Paper and all points in view as dots, in the data's order, so that no class lies on top of the others.
 * Blended by hand into one image: several times quicker than 10,000 calls. Returns how many are in view.
 */
function drawDots(context, theme, plot, at, projected, labels, colours, { radius, alpha, ratio }) {
  const left = Math.round(plot.left * ratio), top = Math.round(plot.top * ratio), span = Math.round(plot.size * ratio);
  const image = context.createImageData(span, span), bytes = image.data;
  new Uint32Array(bytes.buffer).fill(theme.paperWord);
  const inks = colours.map(hexBytes), { side, masks } = discMasks(radius * ratio, alpha), reach = radius * ratio + 1;
  let seen = 0;
  for (let i = 0; i < labels.length; i++) {
    const x = at.x(projected[2 * i]) * ratio - left, y = at.y(projected[2 * i + 1]) * ratio - top;
    if (!(x >= 0 && x <= span && y >= 0 && y <= span)) continue;
    seen++;
    const px = Math.floor(x - reach), py = Math.floor(y - reach);
    const mask = masks[Math.floor((x - reach - px) * 4) + 4 * Math.floor((y - reach - py) * 4)];
    const [r, g, b] = inks[labels[i] % inks.length];
    for (let row = Math.max(0, -py); row < side && py + row < span; row++) {
      for (let column = Math.max(0, -px); column < side && px + column < span; column++) {
        const cover = mask[row * side + column], o = 4 * ((py + row) * span + px + column);
        if (cover === 0) continue;
        bytes[o] += cover * (r - bytes[o]);
        bytes[o + 1] += cover * (g - bytes[o + 1]);
        bytes[o + 2] += cover * (b - bytes[o + 2]);
      }
    }
  }
  context.putImageData(image, left, top);
  return seen;
}

/** "#rrggbb" -> [r, g, b]. */
function hexBytes(hex) {
  return [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16));
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

/** One- and two-sigma ellipses of the Gaussian that the shared units are centred on. Returns their labels. */
function drawGaussian(context, theme, at, shape) {
  const labels = [];
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
    labels.push({ text: `${sigma} sigma`, x, y: y + drop });
  }
  context.setLineDash([]);
  return labels;
}

/** The classes' names as labels that may stand at the members which `namePlaces` found. */
function nameLabels(theme, at, projected, places, classes) {
  return places.map(({ label, candidates }) => ({
    text: classes[label],
    font: `600 16px ${theme.font}`,
    places: candidates.map((i) => [at.x(projected[2 * i]), at.y(projected[2 * i + 1])]),
  }));
}

/**
 * Give each label {text, font, places} the first of its places that is free, or one near them with an anchor in its
 * cloud: boxes for `drawLabels`, the earlier ones first. What finds no place inside the plot is left out.
 */
function arrangeLabels(context, { left, top, size }, labels) {
  const boxes = [], height = 19;
  for (const { text, font, places } of labels) {
    context.font = font;
    const width = context.measureText(text).width + 8;
    const inside = ([x, y]) => x > left + width / 2 && x < left + size - width / 2 && y > top + 10 && y < top + size - 10;
    const free = ([x, y]) => inside([x, y]) && !boxes.some((other) => overlapping({ x, y, width, height }, other));
    const anchor = places.find(inside), place = places.find(free) ?? (anchor && nearbyPlace(anchor, free));
    if (place) boxes.push({ text, font, x: place[0], y: place[1], width, height, anchor: places.includes(place) ? null : anchor });
  }
  return boxes;
}

/** Write the labels {text, x, y, font, anchor} with a halo; one beside its cloud gets a line to its anchor. */
function drawLabels(context, theme, labels) {
  context.textAlign = "center";
  context.textBaseline = "middle";
  for (const { x, y, anchor } of labels) {
    if (!anchor) continue;
    for (const [width, colour] of [[4, theme.paper], [1.4, theme.ink]]) {
      context.lineWidth = width;
      context.strokeStyle = colour;
      context.beginPath();
      context.moveTo(x, y);
      context.lineTo(...anchor);
      context.stroke();
    }
  }
  for (const { text, x, y, font } of labels) {
    context.font = font;
    haloText(context, theme, text, x, y);
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
