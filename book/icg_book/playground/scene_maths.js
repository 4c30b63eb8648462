// The playground's pictures: from objects to pixels and players, and in words who is cheated.
// An object is {kind: "square" or "triangle", size, turn, top, left, level}: a number among the sizes of its kind, one of
// eight turns, the first row and column that are lit, and a grey from 0 to 255.

const SIDE = 50, PLANE = SIDE * SIDE;

function sceneMaths(data) {
  // ---- the picture, drawn as icg_book.playground.scene draws it ------------------------------------------------

  function bitmapOf({ kind, size, turn }) { // rows of 0 and 1
    const [h, w] = data.sizes[kind][size];
    let rows = Array.from({ length: h }, (_, r) => Array.from({ length: w }, (_, c) => (kind === "square" || c <= r ? 1 : 0)));
    if (turn & 1) rows = rows[0].map((_, c) => rows.map((row) => row[c]));
    if (turn & 2) rows = rows.slice().reverse();
    if (turn & 4) rows = rows.map((row) => row.slice().reverse());
    return rows;
  }
  function extent(object) {
    const [h, w] = data.sizes[object.kind][object.size];
    return object.turn & 1 ? [w, h] : [h, w];
  }
  const kindOf = ({ kind, level }) => (kind === "triangle" ? "triangle" : level < 127.5 ? "dark" : "light");

  // The object number (0: nothing, k + 1: object k) of each pixel.
  function canvasOf(objects) {
    const canvas = new Uint8Array(PLANE);
    objects.forEach((object, k) => object && bitmapOf(object).forEach((row, r) => row.forEach((lit, c) => {
      if (lit) canvas[(object.top + r) * SIDE + object.left + c] = k + 1;
    })));
    return canvas;
  }
  function valuesOf(objects) { // float32, like the tensor in Python
    return Float32Array.from(canvasOf(objects), (k) => (k ? objects[k - 1].level / 255 : 0));
  }
  // A shape comes with a black border one pixel wide: inside the picture, and no other object may be lit in its box.
  function fits(objects, k, moved) {
    const object = moved || objects[k], [h, w] = extent(object), others = canvasOf(objects.map((other, i) => (i === k ? null : other)));
    if (object.top < 1 || object.left < 1 || object.top + h > SIDE - 2 || object.left + w > SIDE - 2) return false;
    for (let y = object.top - 1; y <= object.top + h; y++) for (let x = object.left - 1; x <= object.left + w; x++) {
      if (others[y * SIDE + x]) return false;
    }
    return true;
  }
  // The player of each pixel: objects with their borders, then the rest; what two borders share is the first's.
  function groupsOf(objects) {
    const canvas = canvasOf(objects), rest = objects.length, groups = Uint8Array.from(canvas, (k) => (k ? k - 1 : rest));
    for (let player = 0; player < rest; player++) {
      for (let i = 0; i < PLANE; i++) {
        if (canvas[i] !== player + 1) continue;
        const y = Math.floor(i / SIDE), x = i % SIDE;
        for (let v = Math.max(0, y - 1); v <= Math.min(SIDE - 1, y + 1); v++) for (let u = Math.max(0, x - 1); u <= Math.min(SIDE - 1, x + 1); u++) {
          if (groups[v * SIDE + u] === rest) groups[v * SIDE + u] = player;
        }
      }
    }
    return groups;
  }

  return { bitmapOf, extent, kindOf, valuesOf, groupsOf, fits };
}

// ---- in words --------------------------------------------------------------------------------------------------------

const LETTERS = "ABCDEF", KINDS = { dark: "dark square", light: "light square", triangle: "triangle" };
const METHODS = [{ name: "IG", long: "Integrated Gradients" }, { name: "EG", long: "Expected Gradients" }, { name: "ICG", long: "Integrated Certainty Gradients" }];
const FAIR_ENOUGH = 0.1; // of a share: less off than that is not called cheating

function distanceFromFair(shares, fair) { // the measure of icg.fairness
  const total = (values) => values.reduce((a, v) => a + Math.abs(v), 0);
  return total(shares.map((v, i) => v - fair[i])) / total(fair);
}

// Who is cheated most, by which method: `kinds` are those of the objects, shares have the rest at their end.
function whoIsCheated(kinds, fair, paid) {
  if (!kinds.length) return "Nothing is in the picture: there is nobody to pay.";
  const called = (i) => {
    const several = kinds.filter((kind) => kind === kinds[i]).length > 1;
    return LETTERS[i] + ", " + (several ? "a " : "the ") + KINDS[kinds[i]] + ",";
  };
  const off = METHODS.map(({ name }) => kinds.map((_, i) => paid[name][i] - fair[i]));
  const worst = off.map((values) => Math.max(...values.map(Math.abs))), method = worst.indexOf(Math.max(...worst));
  if (worst[method] < FAIR_ENOUGH) return "Nobody is cheated: every method pays each object its fair share, to within " + number(FAIR_ENOUGH, 1) + ".";
  const { name, long } = METHODS[method], least = Math.min(...off[method]), most = Math.max(...off[method]);
  const poor = off[method].indexOf(least), rich = off[method].indexOf(most);
  const share = (i, got) => "is due " + number(fair[i], 2) + " and " + got + " " + number(paid[name][i], 2);
  if (least > -FAIR_ENOUGH) return called(rich) + " is paid too much by " + long + ": it " + share(rich, "gets") + ".";
  return called(poor) + " is cheated by " + long + ": it " + share(poor, "gets")
    + (most < FAIR_ENOUGH ? "." : ", while " + called(rich) + " " + share(rich, "takes") + ".");
}
