// The decoder in the browser: a pack of weights (written by vae_core/latent/browser.py) becomes
// a function from a latent point to pixels. Plain typed arrays; nothing is allocated per decode.

const PACK_FORMAT = 1;

/** Throw one readable sentence unless `condition` holds. */
function ensure(condition, sentence) {
  if (!condition) throw new Error(sentence);
}

// ---------------------------------------------------------------- reading a pack

/** Header (JSON) of a pack and the byte at which its payload starts. */
function readHeader(bytes) {
  ensure(bytes instanceof Uint8Array && bytes.length > 8, "This pack is empty: expected a header and a payload.");
  const length = new DataView(bytes.buffer, bytes.byteOffset, 4).getUint32(0, true);
  ensure(length + 4 <= bytes.length, `This pack is cut short: its header needs ${length} bytes.`);
  const header = JSON.parse(new TextDecoder().decode(bytes.subarray(4, 4 + length)));
  ensure(header.format === PACK_FORMAT, `This pack has format ${header.format}; this page reads format ${PACK_FORMAT}.`);
  ensure(typeof header.id === "string" && header.id.length > 0, "This pack has no id.");
  return { header, start: 4 + length };
}

let halfValues = null;

/** Uint16 bit patterns of IEEE half precision -> Float32Array, through a table of all 65,536. */
function halfToFloat(bits) {
  if (!halfValues) {
    halfValues = new Float32Array(65536);
    for (let i = 0; i < 65536; i++) {
      const sign = i & 0x8000 ? -1 : 1, exponent = (i >> 10) & 31, fraction = i & 1023;
      halfValues[i] = exponent === 31 ? (fraction ? NaN : sign * Infinity)
        : exponent ? sign * (1 + fraction / 1024) * 2 ** (exponent - 15) : sign * fraction * 2 ** -24;
    }
  }
  const out = new Float32Array(bits.length);
  for (let i = 0; i < bits.length; i++) out[i] = halfValues[bits[i]];
  return out;
}

/** Bytes of a pack -> {kind, id, ...}, with every array in place of its offset. */
function parsePack(bytes) {
  const { header, start } = readHeader(bytes);
  const take = (at, count, Type) => {
    const end = start + at + count * Type.BYTES_PER_ELEMENT;
    ensure(at >= 0 && end <= bytes.length, `Pack ${header.id} is cut short: it needs ${end} bytes and has ${bytes.length}.`);
    return new Type(bytes.buffer.slice(bytes.byteOffset + start + at, bytes.byteOffset + end));
  };
  if (header.kind === "decoder") return parseDecoder(header, take);
  if (header.kind === "points") {
    const size = header.count * header.latent;
    return {
      ...header,
      codes: take(header.codes, size, Float32Array),
      std: header.std === null ? null : take(header.std, size, Float32Array),
      labels: take(header.labels, header.count, Uint8Array),
    };
  }
  if (header.kind === "frames") {
    const each = 2 * header.count, codes = halfToFloat(take(header.codes, header.steps.length * each, Uint16Array));
    return {
      ...header,
      codes: header.steps.map((_, i) => codes.subarray(i * each, (i + 1) * each)),
      labels: take(header.labels, header.count, Uint8Array),
      strips: header.strips.map(([at, length]) => take(at, length, Uint8Array)),
    };
  }
  ensure(header.kind === "thumbnails", `Pack ${header.id} is a "${header.kind}"; known are decoder, points, frames, thumbnails.`);
  return { ...header, png: take(header.png, header.length, Uint8Array) };
}

const OPERATIONS = ["linear", "conv_transpose", "keep", "add", "activation"];

function parseDecoder(header, take) {
  const weights = header.dtype === "float32" ? (at, count) => take(at, count, Float32Array)
    : (at, count) => halfToFloat(take(at, count, Uint16Array));
  let size = header.latent, kept = 0;
  const layers = header.layers.map((layer, index) => {
    const name = `Layer ${index} of decoder ${header.id}`;
    ensure(OPERATIONS.includes(layer.op), `${name} is a "${layer.op}"; known are ${OPERATIONS.join(", ")}.`);
    if (layer.op === "activation") {
      ensure(layer.name in ACTIVATIONS, `${name} is "${layer.name}"; known are ${Object.keys(ACTIVATIONS).join(", ")}.`);
      return layer;
    }
    if (layer.op === "keep") kept = layer.channels * layer.height * layer.width;
    if (layer.op === "keep" || layer.op === "add") {
      ensure(size === kept, `${name} takes ${kept} values and is given ${size}.`);
      return layer;
    }
    const linear = layer.op === "linear";
    const expected = linear ? layer.in : layer.in * layer.height * layer.width;
    ensure(size === expected, `${name} takes ${expected} values and is given ${size}.`);
    if (!linear) {
      layer = { ...layer, outHeight: spread(layer.height, layer), outWidth: spread(layer.width, layer) };
    }
    size = linear ? layer.out : layer.out * layer.outHeight * layer.outWidth;
    const taps = linear ? 1 : layer.kernel * layer.kernel;
    return { ...layer, weight: weights(layer.weight, layer.in * layer.out * taps), bias: weights(layer.bias, layer.out) };
  });
  const wanted = header.image.reduce((a, b) => a * b, 1);
  ensure(size === wanted, `Decoder ${header.id} makes ${size} values for an image of ${wanted}.`);
  return { ...header, layers };
}

/** Side of a transposed convolution's output, given that of its input. */
function spread(side, { stride, padding, kernel }) {
  return (side - 1) * stride - 2 * padding + kernel;
}

// ---------------------------------------------------------------- activations, in place

/** Table of the normal distribution's cumulative function on [-6, 6], by Simpson's rule per cell. */
const PHI_STEPS = 512, PHI_EDGE = 6;
let phiValues = null;
function phiTable() {
  if (phiValues) return phiValues;
  const cells = 2 * PHI_EDGE * PHI_STEPS, h = 1 / PHI_STEPS;
  const density = (x) => Math.exp(-0.5 * x * x) / Math.sqrt(2 * Math.PI);
  phiValues = new Float64Array(cells + 2);
  for (let i = 0, total = 0; i <= cells; i++) {
    phiValues[i] = total;
    const a = i * h - PHI_EDGE;
    total += (h / 6) * (density(a) + 4 * density(a + h / 2) + density(a + h));
  }
  phiValues[cells + 1] = 1;
  return phiValues;
}

const ACTIVATIONS = {
  relu(x) {
    for (let i = 0; i < x.length; i++) if (x[i] < 0) x[i] = 0;
  },
  /** x Phi(x), the exact (erf) form, from a table interpolated linearly: within 3e-7. */
  gelu(x) {
    const phi = phiTable();
    for (let i = 0; i < x.length; i++) {
      const v = x[i];
      if (v <= -PHI_EDGE) x[i] = 0;
      else if (v < PHI_EDGE) {
        const t = (v + PHI_EDGE) * PHI_STEPS, cell = t | 0, low = phi[cell];
        x[i] = v * (low + (t - cell) * (phi[cell + 1] - low));
      }
    }
  },
  tanh(x) {
    for (let i = 0; i < x.length; i++) x[i] = Math.tanh(x[i]);
  },
  silu(x) {
    for (let i = 0; i < x.length; i++) x[i] /= 1 + Math.exp(-x[i]);
  },
  sigmoid(x) {
    for (let i = 0; i < x.length; i++) x[i] = 1 / (1 + Math.exp(-x[i]));
  },
  clip(x) {
    for (let i = 0; i < x.length; i++) x[i] = Math.min(1, Math.max(0, x[i]));
  },
};

// ---------------------------------------------------------------- layers

/**
 * A transposed convolution, gathered: every output pixel is a dot product over a small window of
 * the input. Pixels whose position agrees modulo the stride use the same taps of the kernel, so the
 * weights are sorted once into one matrix per such phase. The input lies channels-last inside a
 * frame of zeros, hence each row of a window is one contiguous run. A linear layer is the case
 * of one pixel.
 */
function makeAffine(layer, input, channelsLast) {
  const { in: ci, out: co, kernel: k, stride: s, padding: p, height, width, outHeight, outWidth } = layer;
  const margin = Math.ceil(k / s);
  const framed = width + 2 * margin;
  const frame = new Float32Array(framed * (height + 2 * margin) * ci);
  const output = new Float32Array(co * outHeight * outWidth);
  const blocked = co - (co % 4);
  const bias = layer.bias;

  // Phase r of one axis: kernel taps r, r + s, ... (last tap first, so that the input index rises).
  const phase = (r, side, outSide) => {
    const taps = [];
    for (let t = r; t < k; t += s) taps.unshift(t);
    const starts = [];
    for (let o = 0; o < outSide; o++) {
      if ((o + p) % s === r) starts.push([o, (o + p - (taps[0] ?? r)) / s + margin]);
    }
    return { taps, starts };
  };
  const phases = [];
  for (let ry = 0; ry < s; ry++) {
    for (let rx = 0; rx < s; rx++) {
      const rows = phase(ry, height, outHeight), columns = phase(rx, width, outWidth);
      const run = columns.taps.length * ci, size = rows.taps.length * run;
      // Four output channels interleaved per block; what is left over follows channel by channel.
      const weight = new Float32Array(size * co);
      for (let o = 0; o < co; o++) {
        rows.taps.forEach((ky, a) => columns.taps.forEach((kx, b) => {
          for (let c = 0; c < ci; c++) {
            const i = a * run + b * ci + c;
            const at = o < blocked ? (o - (o % 4)) * size + i * 4 + (o % 4) : o * size + i;
            weight[at] = layer.weight[((c * co + o) * k + ky) * k + kx];
          }
        }));
      }
      phases.push({ rows: rows.starts, columns: columns.starts, run, depth: rows.taps.length, weight });
    }
  }

  function fillFrame() {
    for (let y = 0; y < height; y++) {
      let at = ((y + margin) * framed + margin) * ci;
      if (channelsLast) {
        const from = y * width * ci;
        for (let i = 0; i < width * ci; i++) frame[at + i] = input[from + i];
      } else {
        for (let x = 0; x < width; x++) {
          for (let c = 0; c < ci; c++) frame[at++] = input[(c * height + y) * width + x];
        }
      }
    }
  }

  function run() {
    fillFrame();
    for (const { rows, columns, run: length, depth, weight } of phases) {
      for (let r = 0; r < rows.length; r++) {
        for (let q = 0; q < columns.length; q++) {
          window(rows[r][1] * framed + columns[q][1], (rows[r][0] * outWidth + columns[q][0]) * co, length, depth, weight);
        }
      }
    }
  }

  /** All output channels of one pixel. */
  function window(corner, target, length, depth, weight) {
    const pitch = framed * ci, first = corner * ci;
    let w = 0;
    for (let o = 0; o < blocked; o += 4) {
      let a = bias[o], b = bias[o + 1], c = bias[o + 2], d = bias[o + 3];
      for (let row = 0; row < depth; row++) {
        const from = first + row * pitch;
        for (let i = from; i < from + length; i++, w += 4) {
          const v = frame[i];
          a += weight[w] * v;
          b += weight[w + 1] * v;
          c += weight[w + 2] * v;
          d += weight[w + 3] * v;
        }
      }
      output[target + o] = a;
      output[target + o + 1] = b;
      output[target + o + 2] = c;
      output[target + o + 3] = d;
    }
    for (let o = blocked; o < co; o++) {
      let even = bias[o], odd = 0;
      for (let row = 0; row < depth; row++) {
        let i = first + row * pitch;
        const end = i + length;
        for (; i + 1 < end; i += 2, w += 2) {
          even += weight[w] * frame[i];
          odd += weight[w + 1] * frame[i + 1];
        }
        if (i < end) even += weight[w++] * frame[i];
      }
      output[target + o] = even + odd;
    }
  }
  return { output, run };
}

/** A linear layer as a transposed convolution of one pixel: [out, in] becomes [in, out, 1, 1]. */
function asPixel(layer) {
  const weight = new Float32Array(layer.weight.length);
  for (let o = 0; o < layer.out; o++) {
    for (let i = 0; i < layer.in; i++) weight[i * layer.out + o] = layer.weight[o * layer.in + i];
  }
  return { ...layer, weight, kernel: 1, stride: 1, padding: 0, height: 1, width: 1, outHeight: 1, outWidth: 1 };
}

/** Channels-last values of `image` [C, H, W] back into PyTorch's order. */
function makeChannelsFirst(image, input) {
  const [channels, height, width] = image, area = height * width;
  const output = new Float32Array(input.length);
  const run = () => {
    for (let i = 0; i < area; i++) for (let c = 0; c < channels; c++) output[c * area + i] = input[i * channels + c];
  };
  return { output, run };
}

/** Values of an image [C, H, W] in PyTorch's order, channels last. */
function makeChannelsLast([channels, height, width], input) {
  const area = height * width;
  const output = new Float32Array(input.length);
  const run = () => {
    for (let c = 0; c < channels; c++) for (let i = 0; i < area; i++) output[i * channels + c] = input[c * area + i];
  };
  return { output, run };
}

/** Parsed decoder pack -> {decode(z) -> Float32Array [C * H * W] in [0, 1], a reused buffer; image; latent; id}. */
function makeDecoder(pack) {
  ensure(pack.kind === "decoder", `Pack ${pack.id} holds ${pack.kind}, not a decoder.`);
  const input = new Float32Array(pack.latent);
  const steps = [];
  let signal = input, shape = null; // shape: [C, H, W] of a channels-last signal
  let kept = null;
  const add = ({ output, run }) => {
    steps.push(run);
    signal = output;
  };
  for (const layer of pack.layers) {
    if (layer.op === "activation") {
      const values = signal, apply = ACTIVATIONS[layer.name];
      steps.push(() => apply(values));
      continue;
    }
    if (layer.op === "keep") { // an activation that follows works in place, so this is a copy
      if (!shape) add(makeChannelsLast((shape = [layer.channels, layer.height, layer.width]), signal));
      const values = signal, copy = new Float32Array(signal.length);
      kept = copy;
      steps.push(() => copy.set(values));
      continue;
    }
    if (layer.op === "add") {
      const values = signal, copy = kept;
      steps.push(() => {
        for (let i = 0; i < values.length; i++) values[i] += copy[i];
      });
      continue;
    }
    const linear = layer.op === "linear";
    if (linear && shape) add(makeChannelsFirst(shape, signal));
    add(makeAffine(linear ? asPixel(layer) : layer, signal, !linear && shape !== null));
    shape = linear ? null : [layer.out, layer.outHeight, layer.outWidth];
  }
  if (shape && shape[0] > 1) add(makeChannelsFirst(shape, signal));
  const decode = (z) => {
    for (let i = 0; i < input.length; i++) input[i] = z[i];
    for (let i = 0; i < steps.length; i++) steps[i]();
    return signal;
  };
  return { decode, image: pack.image, latent: pack.latent, id: pack.id };
}

// ---------------------------------------------------------------- painting

const paintBuffers = new WeakMap();

/** Pixels [C, H, W] in [0, 1] (floats) or 0..255 (bytes) onto a canvas of exactly W x H; CSS makes it large. */
function paintPixels(canvas, pixels, image) {
  const [channels, height, width] = image, area = width * height;
  let buffer = paintBuffers.get(canvas);
  if (!buffer || buffer.data.width !== width || buffer.data.height !== height) {
    canvas.width = width;
    canvas.height = height;
    const context = canvas.getContext("2d", { willReadFrequently: true });
    buffer = { context, data: context.createImageData(width, height) };
    buffer.data.data.fill(255);
    paintBuffers.set(canvas, buffer);
  }
  const bytes = buffer.data.data, gain = pixels instanceof Float32Array ? 255 : 1;
  const green = channels === 3 ? area : 0, blue = channels === 3 ? 2 * area : 0;
  for (let i = 0; i < area; i++) {
    bytes[4 * i] = pixels[i] * gain;
    bytes[4 * i + 1] = pixels[i + green] * gain;
    bytes[4 * i + 2] = pixels[i + blue] * gain;
  }
  buffer.context.putImageData(buffer.data, 0, 0);
}
