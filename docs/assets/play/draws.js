// Numbers that look random and are the same for the same seed.

// Mulberry32: 32 bits of state, uniform in [0, 1).
export function seeded(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let z = Math.imul(state ^ (state >>> 15), state | 1);
    z ^= z + Math.imul(z ^ (z >>> 7), z | 61);
    return ((z ^ (z >>> 14)) >>> 0) / 2 ** 32;
  };
}

// Box and Muller: √(−2 ln u) cos 2πv is standard normal for uniform u in (0, 1] and v.
export function normal(random) {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}

// 0, …, k − 1 in a uniform order (Fisher and Yates).
export function order(k, random) {
  const places = [...Array(k).keys()];
  for (let i = k - 1; i > 0; i--) {
    const j = Math.floor((i + 1) * random());
    [places[i], places[j]] = [places[j], places[i]];
  }
  return places;
}
