// One plane on a canvas: the loss as contours, the Gaussian as ellipses, its draws as dots, gradients as arrows.

/** Margins around the square of the plot, in CSS pixels; a small plane has less. */
const edges = (side) => ({ left: side < 260 ? 28 : 46, right: 4, top: 4, bottom: side < 260 ? 24 : 42 });

/** What is drawn of a step: which parts, and how far each has come, from 0 to 1. */
const REST = { move: 0, draws: 1, arrows: 1 };

/** "4.96" with a true minus sign. */
const plain = (value, digits = 2) => value.toFixed(digits).replace("-", "\u2212");

/** Why a way does not go on. */
const givenUp = ({ lost, cause }) => `${cause === "width" ? "\u03c3 ran off" : "ran away"} at step ${lost}`;

/** What that means, and what helps. */
const advice = ({ cause }, limit) => `${cause === "width" ? `its width left 1/${limit} to ${limit}` : `its mean is further than ${limit} from 0`}. ` +
  "Take more draws or a smaller rate.";

/** From plane units to CSS pixels. */
function mapping(side, [low, high]) {
  const edge = edges(side), size = side - edge.left - edge.right, tall = side - edge.top - edge.bottom;
  return {
    left: edge.left, top: edge.top, size, tall,
    x: (u) => edge.left + ((u - low) / (high - low)) * size,
    y: (v) => edge.top + ((high - v) / (high - low)) * tall,
    across: (d) => (d / (high - low)) * size,
    up: (d) => (d / (high - low)) * tall,
    back: (px, py) => [low + ((px - edge.left) / size) * (high - low), high - ((py - edge.top) / tall) * (high - low)],
  };
}

function ellipse(context, at, [x, y], [across, up]) {
  context.beginPath();
  context.ellipse(at.x(x), at.y(y), Math.max(at.across(across), 0.5), Math.max(at.up(up), 0.5), 0, 0, 2 * Math.PI);
}

/** Text that stays readable on what is drawn below it. */
function halo(context, theme, text, x, y) {
  [context.lineJoin, context.lineWidth, context.strokeStyle] = ["round", 4, theme.paper];
  context.strokeText(text, x, y);
  context.fillStyle = theme.ink;
  context.fillText(text, x, y);
}

/** The bowl of the loss, its contours named, the axes. */
function drawGround(context, theme, at, side, spec) {
  const { target, window: [low, high], rings } = spec;
  context.save();
  context.beginPath();
  context.rect(at.left, at.top, at.size, at.tall);
  context.clip();
  context.fillStyle = theme.ink;
  context.globalAlpha = 0.035;
  context.fillRect(at.left, at.top, at.size, at.tall);
  for (const loss of [...rings].reverse()) {
    ellipse(context, at, target, [Math.sqrt(loss), Math.sqrt(loss)]);
    [context.globalAlpha, context.fillStyle] = [0.5, theme.paper];
    context.fill();
    [context.globalAlpha, context.strokeStyle, context.lineWidth] = [0.35, theme.ink, 1];
    context.stroke();
  }
  context.restore();
  [context.globalAlpha, context.strokeStyle, context.lineWidth] = [0.4, theme.ink, 1];
  context.strokeRect(at.left + 0.5, at.top + 0.5, at.size - 1, at.tall - 1);
  context.globalAlpha = 1;
  context.fillStyle = theme.ink;
  context.font = `13px ${theme.font}`;
  const step = side < 260 ? 5 : 2, first = Math.ceil(low / step) * step;
  for (let value = first; value <= high; value += step) {
    [context.textAlign, context.textBaseline] = ["center", "top"];
    context.fillText(plain(value, 0), at.x(value), at.top + at.tall + 5);
    [context.textAlign, context.textBaseline] = ["right", "middle"];
    context.fillText(plain(value, 0), at.left - 6, at.y(value));
  }
  if (side < 260) return;
  [context.textAlign, context.textBaseline] = ["center", "bottom"];
  context.fillText("x\u2081", at.left + at.size / 2, side - 2);
  context.save();
  context.translate(12, at.top + at.tall / 2);
  context.rotate(-Math.PI / 2);
  [context.textAlign, context.textBaseline] = ["center", "middle"];
  context.fillText("x\u2082", 0, 0);
  context.restore();
}

function drawNames(context, theme, at, side, { target, rings, window: [low], prior }) {
  context.font = `13px ${theme.font}`;
  [context.textAlign, context.textBaseline] = ["center", "middle"];
  rings.filter((_, i) => i > 0 && (side >= 260 || i % 2 === 1)).forEach((loss, i) => {
    const y = target[1] - Math.sqrt(loss);
    if (y > low + 0.4) halo(context, theme, i === 0 && side >= 260 ? `loss ${loss}` : `${loss}`, at.x(target[0]), at.y(y));
  });
  context.textAlign = "left";
  if (prior) {
    context.fillStyle = theme.ink;
    context.fillRect(at.x(0) - 4, at.y(0) - 4, 8, 8);
    context.textBaseline = "top";
    halo(context, theme, "prior's mean", at.x(0) + 8, at.y(0) + 4);
  }
}

function drawTarget(context, theme, at, [x, y], colour) {
  const [px, py, r] = [at.x(x), at.y(y), 7];
  for (const [width, line] of [[6, theme.paper], [3, colour]]) {
    [context.lineWidth, context.strokeStyle] = [width, line];
    context.beginPath();
    for (const [dx, dy] of [[r, r], [r, -r]]) {
      context.moveTo(px - dx, py - dy);
      context.lineTo(px + dx, py + dy);
    }
    context.stroke();
  }
}

function drawArrow(context, x, y, dx, dy) {
  const length = Math.hypot(dx, dy);
  if (length < 1.5) return;
  const head = Math.min(8, 0.6 * length), [ux, uy] = [dx / length, dy / length];
  const [tipX, tipY] = [x + dx, y + dy], [footX, footY] = [tipX - head * ux, tipY - head * uy];
  context.beginPath();
  context.moveTo(x, y);
  context.lineTo(footX, footY);
  context.stroke();
  context.beginPath();
  context.moveTo(tipX, tipY);
  context.lineTo(footX - 0.5 * head * uy, footY + 0.5 * head * ux);
  context.lineTo(footX + 0.5 * head * uy, footY - 0.5 * head * ux);
  context.fill();
}

/** Everything of one walker at step `n`; `phase` says how far the step to the next one has come. */
function drawPlane(canvas, side, ratio, theme, spec, walker, n, phase, asked = null) {
  canvas.width = canvas.height = Math.round(side * ratio);
  const context = canvas.getContext("2d"), at = mapping(side, spec.window);
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  drawGround(context, theme, at, side, spec);
  const next = Math.min(n + 1, spec.steps), mix = (of, axis) =>
    of[2 * n + axis] * (1 - phase.move) + of[2 * next + axis] * phase.move;
  const mean = [mix(walker.means, 0), mix(walker.means, 1)], sigma = [mix(walker.sigmas, 0), mix(walker.sigmas, 1)];
  context.save();
  context.beginPath();
  context.rect(at.left, at.top, at.size, at.tall);
  context.clip();
  drawNames(context, theme, at, side, spec);
  [context.fillStyle, context.strokeStyle] = [walker.colour, walker.colour];
  const gone = walker.lost !== null && n >= walker.lost;
  if (!gone) for (const [reach, alpha] of [[2, 0.1], [1, 0.16]]) {
    ellipse(context, at, mean, sigma.map((value) => reach * value));
    context.globalAlpha = alpha;
    context.fill();
    context.globalAlpha = 0.75;
    context.lineWidth = 1.25;
    context.stroke();
  }
  context.globalAlpha = 1;
  context.lineWidth = 2.25;
  context.lineJoin = "round";
  context.beginPath();
  for (let step = 0; step <= n; step += 1) context.lineTo(at.x(walker.means[2 * step]), at.y(walker.means[2 * step + 1]));
  context.lineTo(at.x(mean[0]), at.y(mean[1]));
  context.stroke();
  drawTarget(context, theme, at, spec.target, spec.targetColour);
  if (!gone) drawDraws(context, theme, at, spec, walker, n, phase, mean, sigma);
  context.globalAlpha = gone ? 0.45 : 1;
  context.beginPath();
  context.arc(at.x(mean[0]), at.y(mean[1]), 6, 0, 2 * Math.PI);
  [context.fillStyle, context.strokeStyle, context.lineWidth] = [walker.colour, theme.paper, 2];
  context.fill();
  context.stroke();
  if (gone) {
    [context.globalAlpha, context.textAlign, context.textBaseline] = [1, "center", "middle"];
    context.font = `600 ${side < 260 ? 13 : 17}px ${theme.font}`;
    halo(context, theme, givenUp(walker), at.left + at.size / 2, at.top + 0.94 * at.tall);
  }
  if (asked) {
    [context.fillStyle, context.globalAlpha] = [theme.ink, 0.6];
    context.beginPath();
    context.arc(at.x(asked[0]), at.y(asked[1]), 5, 0, 2 * Math.PI);
    context.fill();
  }
  context.restore();
}

function drawDraws(context, theme, at, spec, walker, n, phase, mean, sigma) {
  const { shown, noise, arrow } = spec, opacity = (1 - phase.move) * phase.draws;
  if (opacity <= 0) return;
  const points = Array.from({ length: shown }, (_, k) => [0, 1].map((axis) =>
    mean[axis] + (walker.fromDraws ? phase.draws : 1) * sigma[axis] * noise[2 * (n * shown + k) + axis]));
  [context.fillStyle, context.strokeStyle, context.lineWidth] = [theme.ink, theme.ink, 1.75];
  context.globalAlpha = opacity;
  points.forEach(([x, y], k) => {
    const from = walker.fromDraws ? [x, y] : mean, reach = -arrow * phase.arrows;
    const [gx, gy] = [0, 1].map((axis) => walker.gradients[2 * (n * shown + k) + axis]);
    drawArrow(context, at.x(from[0]), at.y(from[1]), at.across(reach * gx), -at.up(reach * gy));
  });
  [context.strokeStyle, context.lineWidth] = [theme.paper, 1.25];
  for (const [x, y] of points) {
    context.beginPath();
    context.arc(at.x(x), at.y(y), 4.5, 0, 2 * Math.PI);
    context.fill();
    context.stroke();
  }
  context.globalAlpha = 1;
}
