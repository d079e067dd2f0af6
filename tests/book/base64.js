// What a browser has and the engine of these tests has not.
const LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
function btoa(text) {
  let bits = [...text].map((c) => c.charCodeAt(0).toString(2).padStart(8, "0")).join("");
  while (bits.length % 6) bits += "0";
  return bits.replace(/.{6}/g, (six) => LETTERS[parseInt(six, 2)]);
}
function atob(text) {
  const bits = [...text].map((c) => LETTERS.indexOf(c).toString(2).padStart(6, "0")).join("");
  return (bits.match(/.{8}/g) ?? []).map((byte) => String.fromCharCode(parseInt(byte, 2))).join("");
}
class URLSearchParams {
  constructor(text) { this.parts = new Map(text.split("&").filter(Boolean).map((p) => p.split("="))); }
  get(name) { return this.parts.get(name) ?? null; }
  has(name) { return this.parts.has(name); }
}
