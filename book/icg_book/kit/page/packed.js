// Packed bytes: what `pack` in explorable.py made, back to arrays. base64Bytes is in common.js.

// Raw deflate (RFC 1951) into `size` bytes.
function inflate(input, size) {
  const out = new Uint8Array(size);
  let position = 0, at = 0, hold = 0, held = 0; // bits that were read and not yet used

  function need(n) { for (; held < n; held += 8) hold |= input[at++] << held; }
  function bits(n) {
    need(n);
    const value = hold & ((1 << n) - 1);
    hold >>>= n;
    held -= n;
    return value;
  }
  // Canonical Huffman code as a table: by the next `most` bits, the symbol and the length of its code.
  function tree(lengths) {
    const most = Math.max(...lengths), table = new Uint16Array(1 << most), next = new Uint16Array(17);
    for (const n of lengths) if (n) next[n + 1]++;
    for (let n = 1; n < 16; n++) next[n + 1] = (next[n + 1] + next[n]) << 1;
    lengths.forEach((n, symbol) => {
      if (!n) return;
      let code = next[n]++, reversed = 0;
      for (let k = 0; k < n; k++, code >>= 1) reversed = (reversed << 1) | (code & 1);
      for (let k = reversed; k < table.length; k += 1 << n) table[k] = (symbol << 4) | n;
    });
    return { most, table };
  }
  function symbol({ most, table }) {
    need(most);
    const found = table[hold & (table.length - 1)], n = found & 15;
    if (!n || position > size) throw new Error("packed data are damaged, or more than " + size + " bytes");
    hold >>>= n;
    held -= n;
    return found >> 4;
  }

  const lengthBase = [3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258];
  const lengthBits = [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0];
  const backBase = [1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025, 1537, 2049, 3073, 4097, 6145, 8193, 12289, 16385, 24577];
  const order = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];

  for (let last = 0; !last;) {
    last = bits(1);
    const kind = bits(2);
    if (kind === 0) {
      at -= held >> 3; // whole bytes go back
      hold = held = 0;
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
