// uses networks.js
// uses random.js
// The maths of "damage": certainties of a chosen mean, damage as in training, and what networks say of it.

// `data` is what damage.py gives to the page.
function damageMaths(data) {
  const n = data.size, plane = n * n, inputs = 1000;
  const levels = unpack(data.pictures, plane * data.labels.length);
  const pictures = data.labels.map((label, k) => ({
    label, values: Float64Array.from(levels.subarray(k * plane, (k + 1) * plane), (v) => v / data.levels),
  }));

  // ---- the networks

  const networks = data.networks.map((network) => openNetwork(network, n));
  // Class probabilities. An ordinary network is shown the values only.
  function predict(index, values, certainty) {
    const network = networks[index], input = new Float64Array(network.channels * plane);
    input.set(values);
    if (network.channels > 1) input.set(certainty, plane);
    return softmax(network.forward(input));
  }

  // ---- certainties: the formulas of icg.damage

  // Mean of the density proportional to exp(logit c) on [0, 1]; near 0 by its series, where the formula is 0/0.
  function meanOf(logit) {
    const h = logit / 2;
    return 0.5 + 0.5 * (Math.abs(h) < 0.03 ? h / 3 - h ** 3 / 45 + 2 * h ** 5 / 945 : 1 / Math.tanh(h) - 1 / h);
  }
  // Its inverse by Newton's method, from Cohen's rational approximation.
  function logitOf(mean) {
    const m = Math.min(1 - 1e-7, Math.max(-1 + 1e-7, 2 * mean - 1));
    let h = m * (3 - m * m) / (1 - m * m);
    for (let k = 0; k < 6; k++) {
      const slope = Math.abs(h) < 1e-2 ? 1 / 3 - h * h / 15 : 1 / (h * h) - Math.sinh(Math.min(300, Math.max(-300, h))) ** -2;
      h -= (2 * meanOf(2 * h) - 1 - m) / slope;
    }
    return 2 * h;
  }
  function quantile(u, logit, decay = Math.expm1(-Math.abs(logit))) {
    if (logit > 0) return 1 - quantile(1 - u, -logit, decay);
    if (logit > -1e-3) return u + 0.5 * logit * u * (1 - u);
    return Math.min(1, Math.max(0, Math.log1p(u * decay) / logit));
  }
  const density = (c, logit) => (Math.abs(logit) < 1e-9 ? 1 : logit * Math.exp(logit * (c - (logit > 0 ? 1 : 0))) / (logit > 0 ? -Math.expm1(-logit) : Math.expm1(logit)));

  // Certainties of one input from uniform numbers `u`. Moving the mean moves them all one way: the draw stays the same.
  function certainties(kind, mean, u) {
    if (kind === "uniform") return u.slice();
    if (kind === "bernoulli") return u.map((v) => (v < mean ? 1 : 0));
    const logit = logitOf(mean), decay = Math.expm1(-Math.abs(logit));
    return u.map((v) => quantile(v, logit, decay));
  }

  // ---- damage

  function random(seed, stream) { // one stream for each purpose
    const a = Math.imul(seed, 0x9e3779b1) ^ Math.imul(stream, 0x85ebca6b);
    return seeded(Math.imul(a ^ (a >>> 16), 0x21f0aaad));
  }
  function numbers(seed, stream) {
    const next = random(seed, stream);
    return Float64Array.from({ length: plane }, next);
  }
  const meanAll = (values) => values.reduce((a, b) => a + b, 0) / values.length;

  // D(x, c): every pixel stays with probability c and is replaced otherwise.
  function damage({ picture, seed, kind, mean, source }) {
    const certainty = certainties(kind, mean, numbers(seed, 1)), chance = numbers(seed, 2);
    const skip = Math.floor(random(seed, 4)() * (pictures.length - 1)), other = skip + (skip >= picture ? 1 : 0);
    const replacement = source === "noise" ? numbers(seed, 3) : pictures[other].values;
    const lost = Array.from(chance, (v, i) => v >= certainty[i]);
    const values = pictures[picture].values.map((v, i) => (lost[i] ? replacement[i] : v));
    return { certainty, replacement, lost, values, other, nLost: lost.filter(Boolean).length, extent: 1 - meanAll(certainty) };
  }

  // Damage extents of many training inputs: a new mean for each, drawn from U(0, 1), where there is one to set.
  const extents = {}, next = {};
  function extentsOf(kind, until = Infinity) { // those that are found until then
    const found = extents[kind] = extents[kind] || [], uniform = next[kind] = next[kind] || random(1, 5);
    while (found.length < inputs && performance.now() < until) {
      const mean = uniform();
      found.push(1 - meanAll(certainties(kind, mean, Float64Array.from({ length: plane }, uniform))));
    }
    return found;
  }
  function counts(values, bins) {
    const found = new Array(bins).fill(0);
    for (const v of values) found[Math.min(bins - 1, Math.floor(v * bins))]++;
    return found;
  }

  // The undamaged picture at one certainty everywhere.
  const at = (network, picture, c) => predict(network, pictures[picture].values, new Float64Array(plane).fill(c));

  return { pictures, networks, inputs, predict, meanOf, logitOf, quantile, density, certainties, numbers, damage, extentsOf, counts, at };
}
