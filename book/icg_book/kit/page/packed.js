// Packed bytes: what `pack` in explorable.py made, back to arrays. base64Bytes is in common.js.

// Raw deflate (RFC 1951) into `size` bytes.
function inflate(input, size) {
  const out = new Uint8Array(size);
  let position = 0, bit = 0, at = 0;

  function bits(n) {
    let value = 0;
    for (let i = 0; i < n; i++) {
      value |= ((input[at] >> bit) & 1) << i;
      if (++bit === 8) { bit = 0; at++; }
    }
    return value;
  }
  // Canonical Huffman code: how many codes of each length, and the symbols in order.
  function tree(lengths) {
    const count = new Uint16Array(16), start = new Uint16Array(16), symbols = new Uint16Array(lengths.length);
    for (const n of lengths) count[n]++;
    count[0] = 0;
    for (let n = 1; n < 15; n++) start[n + 1] = start[n] + count[n];
    lengths.forEach((n, symbol) => { if (n) symbols[start[n]++] = symbol; });
    return { count, symbols };
  }
  function symbol(t) {
    let code = 0, first = 0, index = 0;
    for (let n = 1; n < 16; n++) {
      code |= (input[at] >> bit) & 1;
      if (++bit === 8) { bit = 0; at++; }
      const count = t.count[n];
      if (code - count < first) return t.symbols[index + code - first];
      index += count;
      first = (first + count) << 1;
      code <<= 1;
    }
    throw new Error("packed data are damaged");
  }

  const lengthBase = [3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258];
  const lengthBits = [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0];
  const backBase = [1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025, 1537, 2049, 3073, 4097, 6145, 8193, 12289, 16385, 24577];
  const order = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];

  for (let last = 0; !last;) {
    last = bits(1);
    const kind = bits(2);
    if (kind === 0) {
      if (bit) { bit = 0; at++; }
      const n = input[at] | (input[at + 1] << 8);
      out.set(input.subarray(at + 4, at + 4 + n), position);
      at += 4 + n;
      position += n;
      continue;
    }
    let literals, backs;
    if (kind === 1) {
      literals = tree(Array.from({ length: 288 }, (_, i) => (i < 144 ? 8 : i < 256 ? 9 : i < 280 ? 7 : 8)));
      backs = tree(new Array(30).fill(5));
    } else {
      const nLiterals = bits(5) + 257, nBacks = bits(5) + 1, nCodes = bits(4) + 4, codes = new Array(19).fill(0);
      for (let i = 0; i < nCodes; i++) codes[order[i]] = bits(3);
      const codeTree = tree(codes), lengths = [];
      while (lengths.length < nLiterals + nBacks) {
        const s = symbol(codeTree);
        if (s < 16) { lengths.push(s); continue; }
        const value = s === 16 ? lengths[lengths.length - 1] : 0;
        for (let n = s === 16 ? 3 + bits(2) : s === 17 ? 3 + bits(3) : 11 + bits(7); n; n--) lengths.push(value);
      }
      literals = tree(lengths.slice(0, nLiterals));
      backs = tree(lengths.slice(nLiterals));
    }
    for (let s = symbol(literals); s !== 256; s = symbol(literals)) {
      if (s < 256) { out[position++] = s; continue; }
      const n = lengthBase[s - 257] + bits(lengthBits[s - 257]), b = symbol(backs);
      const back = backBase[b] + bits(b < 4 ? 0 : (b >> 1) - 1);
      for (let end = position + n; position < end; position++) out[position] = out[position - back];
    }
  }
  if (position !== size) throw new Error("expected " + size + " packed bytes, got " + position);
  return out;
}
function unpack(text, size) { return inflate(base64Bytes(text), size); }

// Undo step_difference: every frame of `plane` bytes was stored as the difference from the one before.
function addSteps(bytes, plane) {
  for (let i = plane; i < bytes.length; i++) bytes[i] += bytes[i - plane];
  return bytes;
}
