// The operations of the graphs that `export_graphs` of the package writes.
//
// An operation reads numbers at places. `a.of` holds numbers and `a.at[i]` is where the i-th of them
// stands: this is what became of every view, such as a transpose or a slice, and of broadcasting.
// Each operation is given the array that it fills, what it reads, and its options, and returns a
// function that computes it once. All arrays are of single precision; sums are taken in double and
// rounded as they are stored. True is 1 and false is 0.

// The places that a view visits, in order: offset + Σ index · stride.
export function places(shape, strides, offset) {
  let at = Int32Array.of(offset);
  shape.forEach((size, axis) => {
    const finer = new Int32Array(at.length * size);
    for (let i = 0; i < finer.length; i++)
      finer[i] = at[Math.floor(i / size)] + (i % size) * strides[axis];
    at = finer;
  });
  return at;
}

// Numbers of single precision, written in base64 in the order of bytes that all browsers use.
export function numbers(base64) {
  const text = atob(base64);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = text.charCodeAt(i);
  return new Float32Array(bytes.buffer);
}

// Each loop is written out: one loop that calls a function for every number is ten times slower.
export const operations = {
  add: (y, [a, b]) => () => {
    for (let i = 0; i < y.length; i++) y[i] = a.of[a.at[i]] + b.of[b.at[i]];
  },
  sub: (y, [a, b]) => () => {
    for (let i = 0; i < y.length; i++) y[i] = a.of[a.at[i]] - b.of[b.at[i]];
  },
  mul: (y, [a, b]) => () => {
    for (let i = 0; i < y.length; i++) y[i] = a.of[a.at[i]] * b.of[b.at[i]];
  },
  div: (y, [a, b]) => () => {
    for (let i = 0; i < y.length; i++) y[i] = a.of[a.at[i]] / b.of[b.at[i]];
  },
  max: (y, [a, b]) => () => {
    for (let i = 0; i < y.length; i++) y[i] = Math.max(a.of[a.at[i]], b.of[b.at[i]]);
  },
  min: (y, [a, b]) => () => {
    for (let i = 0; i < y.length; i++) y[i] = Math.min(a.of[a.at[i]], b.of[b.at[i]]);
  },
  lt: (y, [a, b]) => () => {
    for (let i = 0; i < y.length; i++) y[i] = a.of[a.at[i]] < b.of[b.at[i]] ? 1 : 0;
  },
  eq: (y, [a, b]) => () => {
    for (let i = 0; i < y.length; i++) y[i] = a.of[a.at[i]] === b.of[b.at[i]] ? 1 : 0;
  },
  not: (y, [a]) => () => {
    for (let i = 0; i < y.length; i++) y[i] = a.of[a.at[i]] ? 0 : 1;
  },
  copy: (y, [a]) => () => {
    for (let i = 0; i < y.length; i++) y[i] = a.of[a.at[i]];
  },
  // Of NaN, NaN.
  relu: (y, [a]) => () => {
    for (let i = 0; i < y.length; i++) {
      const x = a.of[a.at[i]];
      y[i] = x < 0 ? 0 : x;
    }
  },
  sqrt: (y, [a]) => () => {
    for (let i = 0; i < y.length; i++) y[i] = Math.sqrt(a.of[a.at[i]]);
  },
  // x / (1 + exp(−x))
  silu: (y, [a]) => () => {
    for (let i = 0; i < y.length; i++) {
      const x = a.of[a.at[i]];
      y[i] = x / (1 + Math.exp(-x));
    }
  },
  fill: (y, [a, where], [number]) => () => {
    for (let i = 0; i < y.length; i++) y[i] = where.of[where.at[i]] ? number : a.of[a.at[i]];
  },

  sum: (y, [a], [run]) => () => {
    for (let i = 0, j = 0; i < y.length; i++) {
      let total = 0;
      for (const end = j + run; j < end; j++) total += a.of[a.at[j]];
      y[i] = total;
    }
  },
  any: (y, [a], [run]) => () => {
    for (let i = 0, j = 0; i < y.length; i++) {
      let found = 0;
      for (const end = j + run; j < end; j++) if (a.of[a.at[j]]) found = 1;
      y[i] = found;
    }
  },
  cumsum: (y, [a], [run]) => () => {
    for (let i = 0, total = 0; i < y.length; i++) {
      total = (i % run ? total : 0) + a.of[a.at[i]];
      y[i] = total;
    }
  },
  // By insertion: equal numbers stay in order, and NaN is larger than every number.
  argsort: (y, [a], [run, descending]) => {
    const less = (p, q) => p < q || (q !== q && p === p);
    return () => {
      for (let start = 0; start < y.length; start += run)
        for (let i = 0; i < run; i++) {
          const key = a.of[a.at[start + i]];
          let j = start + i;
          for (; j > start; j--) {
            const other = a.of[a.at[start + y[j - 1]]];
            if (descending ? !less(other, key) : !less(key, other)) break;
            y[j] = y[j - 1];
          }
          y[j] = i;
        }
    };
  },
  gather: (y, [a, index], [stride]) => () => {
    for (let i = 0; i < y.length; i++) y[i] = a.of[a.at[i] + stride * index.of[index.at[i]]];
  },
  cat: (y, parts) => () => {
    let i = 0;
    for (const a of parts) for (let j = 0; j < a.at.length; j++) y[i++] = a.of[a.at[j]];
  },

  // α a b + β c for each matrix of a batch; a is m × k, b is k × p. The numbers of b, of which each
  // is read m times, are first laid out in order.
  matmul: (y, [a, b, c], [m, k, p, alpha, beta]) => {
    const sums = new Float64Array(p);
    const second = new Float32Array(b.at.length);
    const layOut = () => {
      for (let i = 0; i < second.length; i++) second[i] = b.of[b.at[i]];
    };
    if (b.fixed) layOut();
    return () => {
      if (!b.fixed) layOut();
      for (let row = 0; row < y.length / p; row++) {
        sums.fill(0);
        const matrix = Math.floor(row / m) * k * p;
        for (let i = 0; i < k; i++) {
          const x = a.of[a.at[row * k + i]];
          for (let j = 0, from = matrix + i * p; j < p; j++) sums[j] += x * second[from + j];
        }
        for (let j = 0, to = row * p; j < p; j++, to++)
          y[to] = c ? alpha * sums[j] + beta * c.of[c.at[to]] : alpha * sums[j];
      }
    };
  },
  // softmax(s q kᵀ + c) v; what may look at nothing gets 0.
  attention: (y, [q, k, v, c], [rows, keys, width, features, scale]) => {
    const weight = new Float64Array(keys);
    return () => {
      for (let row = 0; row < y.length / features; row++) {
        const first = Math.floor(row / rows) * keys;
        let top = -Infinity;
        for (let j = 0; j < keys; j++) {
          let score = 0;
          for (let e = 0; e < width; e++)
            score += q.of[q.at[row * width + e]] * k.of[k.at[(first + j) * width + e]];
          weight[j] = scale * score + (c ? c.of[c.at[row * keys + j]] : 0);
          if (weight[j] > top) top = weight[j];
        }
        if (top === -Infinity) top = 0;
        let total = 0;
        for (let j = 0; j < keys; j++) total += weight[j] = Math.exp(weight[j] - top);
        for (let e = 0; e < features; e++) {
          let sum = 0;
          for (let j = 0; j < keys; j++)
            sum += weight[j] * v.of[v.at[(first + j) * features + e]];
          y[row * features + e] = total === 0 ? 0 : sum / total;
        }
      }
    };
  },
  // w (x − mean) / √(variance + ε) + b
  layer_norm: (y, [a, weight, bias], [run, epsilon]) => () => {
    for (let start = 0; start < y.length; start += run) {
      let mean = 0;
      let variance = 0;
      for (let i = start; i < start + run; i++) mean += a.of[a.at[i]] / run;
      for (let i = start; i < start + run; i++) variance += (a.of[a.at[i]] - mean) ** 2 / run;
      const scale = 1 / Math.sqrt(variance + epsilon);
      for (let i = start; i < start + run; i++)
        y[i] =
          (a.of[a.at[i]] - mean) * scale * weight.of[weight.at[i]] + bias.of[bias.at[i]];
    }
  },
  rand: (y, _, [low, number], random) => () => {
    for (let i = 0; i < y.length; i++) y[i] = low + Math.floor(random() * number);
  },
};
