// The code of a drawing, as in drawn_digits.py: four letters for a point, a full stop between strokes. A drawing is strokes of
// points [x, y] in a square of `size`, in whole parts of a unit, `perUnit` of them.

function strokeCode({ letters, perUnit, size }) {
  function pair(value) {
    const k = Math.min(size * perUnit, Math.max(0, Math.round(value * perUnit)));
    return letters[k >> 6] + letters[k & 63];
  }
  const value = (pair) => (64 * letters.indexOf(pair[0]) + letters.indexOf(pair[1])) / perUnit;
  return {
    toCode: (strokes) => strokes.map((stroke) => stroke.map(([x, y]) => pair(x) + pair(y)).join("")).join("."),
    fromCode(text) { // what is no code is an empty drawing here; the kernel says what is wrong with it
      const clean = text.replace(/\s|["']/g, "");
      if (!/^([\w-]{4})+(\.([\w-]{4})+)*$/.test(clean)) return [];
      return clean.split(".").map((part) => part.match(/.{4}/g).map((p) => [value(p.slice(0, 2)), value(p.slice(2))]));
    },
  };
}
