// The chi-square distribution with k degrees of freedom.

// Lanczos' approximation of ln Γ, to fifteen digits for x ≥ 1/2.
const LANCZOS = [0.99999999999980993, 676.5203681218851, -1259.1392167224028, 771.32342877765313,
  -176.61502916214059, 12.507343278686905, -0.13857109526572012, 9.9843695780195716e-6,
  1.5056327351493116e-7];

function logGamma(x) {
  const t = x + 6.5;
  const series = LANCZOS.reduce((total, c, i) => total + (i ? c / (x - 1 + i) : c), 0);
  return 0.5 * Math.log(2 * Math.PI) + (x - 0.5) * Math.log(t) - t + Math.log(series);
}

export function density(x, k) {
  if (x <= 0) return 0;
  return Math.exp((k / 2 - 1) * Math.log(x) - x / 2 - k / 2 * Math.LN2 - logGamma(k / 2));
}

// F(x) = e⁻ᶻ zᵃ Σ zⁱ / Γ(a + i + 1), with a = k / 2 and z = x / 2: all terms are positive.
export function below(x, k) {
  if (x <= 0) return 0;
  const [a, z] = [k / 2, x / 2];
  let term = Math.exp(a * Math.log(z) - z - logGamma(a + 1));
  let total = term;
  for (let i = 1; term > 1e-17 * total || i < z; i++) {
    term *= z / (a + i);
    total += term;
  }
  return Math.min(1, total);
}
