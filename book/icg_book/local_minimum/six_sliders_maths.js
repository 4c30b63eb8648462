// uses beside.js
// uses packed.js
// The maths of "six sliders": the network by its tables, what every method gives to six components, and what is to be said.
// six_sliders.py has the same in numpy.

const SLOW = ["AGN", "EG"]; // many paths: they come last

// The curve, and what is to be said of an answer {values, score, p, total, one list of shares for each method}. `data` is
// what six_sliders.py gives to the page.
function sixSlidersWords(data) {
  const n = 6, shares = data.panels.map((p) => p.name).slice(1); // the methods; the first panel has the scores
  const f = (x) => (x > 0.75 ? 2 * x - 1 : x > 0.5 ? 2 * (1 - x) : -0.75); // figure 5
  const largest = (v) => Math.max(...v.map(Math.abs));

  const list = (words) => (words.length < 2 ? words.join("") : words.slice(0, -1).join(", ") + " and " + words[words.length - 1]);
  function correlation(a, b) { // NaN where either has six equal numbers
    const mean = (v) => v.reduce((s, w) => s + w, 0) / n, ma = mean(a), mb = mean(b);
    let ab = 0, aa = 0, bb = 0;
    for (let i = 0; i < n; i++) { ab += (a[i] - ma) * (b[i] - mb); aa += (a[i] - ma) ** 2; bb += (b[i] - mb) ** 2; }
    return aa > 1e-16 && bb > 1e-16 ? ab / Math.sqrt(aa * bb) : NaN;
  }
  const FAINT = 0.005; // a method whose largest share is below has all but nothing to share
  // Decided by the numbers alone. A share is next to nothing below a twentieth of the method's largest.
  function findings(values, r) {
    const loud = shares.filter((m) => largest(r[m]) > FAINT), faint = shares.filter((m) => !loud.includes(m));
    const against = values.map((_, i) => loud.filter((m) => r[m][i] * r.score[i] < 0 && Math.abs(r[m][i]) > 0.05 * largest(r[m])));
    const low = values.map((_, i) => i).filter((i) => r.score[i] < 0);
    const blind = low.length ? loud.filter((m) => low.every((i) => Math.abs(r[m][i]) <= 0.05 * largest(r[m]))) : [];
    const uneven = low.length > 1 ? loud.filter((m) => {
      const some = low.map((i) => r[m][i]);
      return Math.max(...some) - Math.min(...some) > 0.15 * largest(r[m]);
    }) : [];
    const off = shares.slice(1).map((m) => ({ m, by: largest(r[m].map((v, i) => v - r["exact SHAP"][i])) })).sort((a, b) => a.by - b.by);
    const like = loud.filter((m) => m !== "exact SHAP").map((m) => ({ m, by: correlation(r[m], r["exact SHAP"]) })).filter((q) => isFinite(q.by)).sort((a, b) => b.by - a.by);
    return { against, low, blind, uneven, faint, off, like };
  }
  function sentences(values, r) {
    const found = findings(values, r), said = [];
    // Components with the same methods against them share a sentence.
    const groups = new Map();
    found.against.forEach((methods, i) => {
      const key = Math.sign(r.score[i]) + methods.join();
      if (methods.length) groups.set(key, { methods, who: [...((groups.get(key) || {}).who || []), i] });
    });
    const sorted = [...groups.values()].sort((a, b) => b.methods.length - a.methods.length || a.who[0] - b.who[0]);
    for (const { methods, who } of sorted.slice(0, 3)) {
      const up = r.score[who[0]] > 0, many = who.length > 1;
      said.push([who, (up ? (many ? " add to" : " adds to") : many ? " lower" : " lowers") + " the score, yet "
        + (many ? "get a " : "gets a ") + (up ? "negative" : "positive") + " share from ", methods]);
    }
    if (!sorted.length) said.push([[], "Every share has the sign of its score, or is next to nothing.", []]);
    const many = found.low.length > 1;
    if (found.blind.length) said.push([found.low, (many ? " lower" : " lowers") + " the score, but " + (many ? "get" : "gets") + " next to nothing from ", found.blind]);
    if (found.uneven.length) said.push([found.low, " have one and the same score, but get unequal shares from ", found.uneven]);
    if (found.faint.length) said.push([[], "All but nothing to share (below " + FAINT + "): ", found.faint]);
    return { found, said };
  }

  return { f, shares, largest, list, findings, sentences, FAINT };
}

// The answers.
function sixSlidersMaths(data) {
  const n = 6, levels = data.levels, F = data.unit.length, { f } = sixSlidersWords(data);

  // ---- the network ------------------------------------------------------------------------------------------------

  // A component's F numbers, in tables of int16: steps of steps along both axes, small sizes first (0, -1, 1, -2, …), low
  // bytes and then high bytes.
  function table(text, rows, columns) {
    const across = columns * F, size = rows * across, bytes = unpack(text, 2 * size), whole = new Int16Array(size);
    for (let i = 0; i < size; i++) {
      const code = bytes[i] + 256 * bytes[size + i];
      whole[i] = (code >> 1 ^ -(code & 1)) + (i % across < F ? 0 : whole[i - F]);
    }
    for (let i = across; i < size; i++) whole[i] += whole[i - across];
    return Float64Array.from(whole, (w, i) => w * data.unit[i % F] + data.offset[i % F]);
  }
  const at = Float64Array.from(data.at, (a) => a / data.finest), C = data.columns.steps;
  const row = table(data.row, at.length, 1), along = table(data.columns.table, levels + 1, C + 1);
  // Where to begin the search in `at`: for every 1024th the last node that is not above it.
  const first = new Uint16Array(1025);
  for (let k = 0, i = 0; k <= 1024; k++) {
    while (i + 1 < at.length && at[i + 1] <= k / 1024) i++;
    first[k] = Math.min(i, at.length - 2);
  }
  // Write a sixth of them to `into` from `to` on: at certainty 1, and for a hundredth of value at any certainty.
  function line(source, from, part, into, to) {
    for (let f = 0; f < F; f++) into[to + f] = (source[from + f] + part * (source[from + F + f] - source[from + f])) / n;
  }
  function known(value, into, to) {
    let i = first[Math.floor(1024 * value)];
    while (i < at.length - 2 && at[i + 1] <= value) i++;
    line(row, i * F, (value - at[i]) / (at[i + 1] - at[i]), into, to);
  }
  function unsure(value, certainty, into, to) {
    const k = Math.min(C - 1, Math.floor(certainty * C));
    line(along, (Math.round(value * levels) * (C + 1) + k) * F, certainty * C - k, into, to);
  }
  const numbers = (fill) => { const all = new Float64Array(n * F); for (let i = 0; i < n; i++) fill(i, all, i * F); return all; };

  // The decision network: the probability of class 1 by the mean (the sum of sixths), and its gradient.
  const layers = data.layers.map((l) => {
    const whole = new Int16Array(unpack(l.weights, 2 * l.inputs * l.bias.length).buffer);
    return { weights: Float64Array.from(whole, (w) => w * l.scale), bias: Float64Array.from(l.bias), units: new Float64Array(l.bias.length) };
  });
  const before = [F, ...layers.map((l) => l.bias.length)].map((size) => new Float64Array(size)); // gradients
  const sum = new Float64Array(F);
  function decide(mean) {
    let units = mean;
    for (let k = 0; k < layers.length; k++) {
      const { weights, bias, units: next } = layers[k], width = units.length, hidden = k < layers.length - 1;
      for (let j = 0, w = 0; j < next.length; j++) {
        let v = bias[j];
        for (let i = 0; i < width; i++, w++) v += weights[w] * units[i];
        next[j] = hidden && v < 0 ? 0.02 * v : v;
      }
      units = next;
    }
    return 1 / (1 + Math.exp(units[0] - units[1]));
  }
  function gradient(mean) {
    const p = decide(mean), last = before[layers.length];
    last[0] = -p * (1 - p);
    last[1] = -last[0];
    for (let k = layers.length - 1; k >= 0; k--) {
      const { weights } = layers[k], upper = before[k + 1], lower = before[k], width = lower.length;
      lower.fill(0);
      for (let j = 0, w = 0; j < upper.length; j++) for (let i = 0; i < width; i++, w++) lower[i] += weights[w] * upper[j];
      if (k > 0) for (let i = 0; i < width; i++) if (layers[k - 1].units[i] <= 0) lower[i] *= 0.02;
    }
    return before[0];
  }
  function probability(all) {
    sum.fill(0);
    for (let i = 0; i < all.length; i++) sum[i % F] += all[i];
    return decide(sum);
  }
  const predict = (values) => probability(numbers((i, all, to) => known(values[i], all, to)));

  // ---- the methods ------------------------------------------------------------------------------------------------

  // Shares along paths, their mean; at(path, alpha) gives the components' numbers. The probability depends on their mean
  // alone. So a piece's change of it is shared by the gradient in its middle times the change of each component's
  // numbers; what that misses goes to the components in proportion. A piece is halved until its halves say the same.
  function* walk(name, at, paths, jumps = () => []) {
    const { pieces, close } = data.paths[name];
    const total = new Array(n).fill(0);
    const end = (path, alpha) => { const all = at(path, alpha); return { all, p: probability(all) }; };
    function share(a, b) {
      sum.fill(0);
      for (let i = 0; i < n * F; i++) sum[i % F] += (a.all[i] + b.all[i]) / 2;
      const slope = gradient(sum), gained = new Float64Array(n);
      let missed = b.p - a.p, size = 0;
      for (let i = 0, k = 0; i < n; i++) {
        for (let f = 0; f < F; f++, k++) gained[i] += (b.all[k] - a.all[k]) * slope[f];
        missed -= gained[i];
        size += Math.abs(gained[i]);
      }
      if (size > 0) for (let i = 0; i < n; i++) gained[i] += missed * Math.abs(gained[i]) / size;
      return gained;
    }
    function add(path, a, b, atA, atB, whole, depth) {
      const middle = (a + b) / 2, atM = end(path, middle), left = share(atA, atM), right = share(atM, atB);
      let off = 0;
      for (let i = 0; i < n; i++) off = Math.max(off, Math.abs(left[i] + right[i] - whole[i]));
      if (off <= close || depth === data.deepest - 1) for (let i = 0; i < n; i++) total[i] += (left[i] + right[i]) / paths;
      else {
        add(path, a, middle, atA, atM, left, depth + 1);
        add(path, middle, b, atM, atB, right, depth + 1);
      }
    }
    for (let path = 0; path < paths; path++) {
      // Two jumps in one piece, one up and one down, would go unseen at its ends: so there are cuts at jumps.
      const cuts = [...Array.from({ length: pieces + 1 }, (_, k) => k / pieces), ...jumps(path)].sort((a, b) => a - b);
      for (let k = 1, atA = end(path, 0); k < cuts.length; k++) {
        const atB = end(path, cuts[k]);
        add(path, cuts[k - 1], cuts[k], atA, atB, share(atA, atB), 0);
        atA = atB;
      }
      yield;
    }
    return total;
  }
  // The mean over straight paths, all components certain; and the path of certainty.
  const passes = (values, start) => values.map((v, i) => (data.jump - start[i]) / (v - start[i])).filter((alpha) => alpha > 0 && alpha < 1);
  const straight = (name, values, starts) => walk(name, (path, alpha) => numbers((i, all, to) => known(starts[path][i] + alpha * (values[i] - starts[path][i]), all, to)), starts.length, (path) => passes(values, starts[path]));
  const certainty = (values) => walk("ICG", (_, alpha) => numbers((i, all, to) => unsure(values[i], alpha, all, to)), 1);
  const weights = Array.from({ length: n }, (_, s) => { // of a coalition of s others: s! (5 - s)! / 6!
    let ways = n;
    for (let k = 0; k < s; k++) ways *= (n - 1 - k) / (k + 1);
    return 1 / ways;
  });
  const size = (mask) => { let s = 0; for (let m = mask; m; m &= m - 1) s++; return s; };
  function shapley(value) { // of a game on masks
    const worth = Array.from({ length: 1 << n }, (_, mask) => value(mask));
    return Array.from({ length: n }, (_, i) => {
      let sum = 0;
      for (let mask = 0; mask < 1 << n; mask++) if (!(mask >> i & 1)) sum += weights[size(mask)] * (worth[mask | 1 << i] - worth[mask]);
      return sum;
    });
  }
  function replaced(values, fill) { // Shapley values where fill(i, all, to) writes the numbers of absent components
    const absent = numbers(fill), present = numbers((i, all, to) => known(values[i], all, to));
    return shapley((mask) => probability(present.map((v, k) => (mask >> Math.floor(k / F) & 1 ? v : absent[k]))));
  }

  // A random component's score is -0.75 or uniform between 0.5 and 1, with even chances; so a
  // coalition's chance of a positive sum is a sum over Irwin-Hall distributions, exactly.
  function chance(from, to) { let c = 1; for (let k = 0; k < to; k++) c *= (from - k) / (k + 1); return c; }
  function irwinHall(s, k) {
    if (k === 0) return s >= 0 ? 1 : 0;
    s = Math.min(k, Math.max(0, s));
    let sum = 0, factorial = 1;
    for (let j = 0; j <= k; j++) {
      sum += (j % 2 ? -1 : 1) * chance(k, j) * Math.pow(Math.max(0, s - j), k);
      if (j) factorial *= j;
    }
    return sum / factorial;
  }
  function ideal(values) {
    const scores = values.map(f);
    return shapley((mask) => {
      let known = 0, p = 0;
      scores.forEach((s, i) => { if (mask >> i & 1) known += s; });
      const m = n - size(mask);
      for (let k = 0; k <= m; k++) p += chance(m, k) / Math.pow(2, m) * (1 - irwinHall(2 * (-known + 0.75 * (m - k) - 0.5 * k), k));
      return p;
    });
  }

  const METHODS = {
    "score": (x) => x.map(f),
    "exact SHAP": ideal,
    "certainty-SHAP": (x) => replaced(x, (i, all, to) => unsure(x[i], 0, all, to)),
    "ICG": certainty,
    "BShap": (x) => replaced(x, (i, all, to) => known(data.baseline, all, to)),
    "zero IG": (x) => straight("zero IG", x, [x.map(() => 0)]),
    "AGN": (x) => straight("AGN", x, data.noise.map((z) => z.map((e, i) => Math.min(1, Math.max(0, x[i] + e))))),
    "EG": (x) => straight("EG", x, data.draws),
  };
  // Yields after each small step: once a quick answer, without the slow methods; in the end the whole one; else nothing.
  function* answers(values) {
    const found = { values: values.slice(), p: predict(values) };
    function* fill(names) {
      for (const name of names) {
        const shares = METHODS[name](found.values);
        found[name] = Array.isArray(shares) ? shares : yield* shares;
        yield;
      }
    }
    yield* fill(data.panels.map((p) => p.name).filter((name) => !SLOW.includes(name)));
    found.total = found.score.reduce((a, b) => a + b, 0);
    yield { ...found };
    yield* fill(SLOW);
    yield found;
  }
  function results(values) { return [...answers(values)].pop(); }

  return { predict, answers, results };
}

// ---- answers to a page that keeps asking --------------------------------------------------------------------------------

// `take({number, values})`, then `work(until)` as often as it says that there is more. While a reader drags, values come
// faster than answers: a quick answer is finished before the newest values are begun, or there would be none until the
// hand rests; the slow methods wait until it does.
function openSixSliders(data, post) {
  const { answers } = sixSlidersMaths(data);
  let newest = null, job = null;
  function begin() { job = { number: newest.number, quick: false, steps: answers(newest.values) }; }
  return {
    take(message) {
      newest = message;
      if (!job || job.quick) begin();
    },
    work(until) {
      while (job && performance.now() < until) {
        const { value, done } = job.steps.next();
        if (value) { job.quick = true; post(value); }
        if (job.quick && newest.number > job.number) begin();
        else if (done) job = null;
      }
      return job !== null;
    },
  };
}
// The same beside the page. Returns ask(values).
function openSixSlidersAsker(data, answered) {
  const functions = [base64Bytes, inflate, unpack, sixSlidersWords, sixSlidersMaths];
  const ask = beside(openSixSliders, functions, { SLOW }, data, answered);
  let count = 0;
  return (values) => ask({ number: ++count, values: values.slice() });
}
