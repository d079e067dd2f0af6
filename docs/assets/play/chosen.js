// What an element's attributes choose: models and actions.

const listed = (text) => (text ?? "").split(/\s+/).filter(Boolean);

export function choicesOf(dataset, all) {
  const wanted = listed(dataset.models);
  const models = all.filter(({ name }) => !wanted.length || wanted.includes(name));
  const unknown = wanted.filter((name) => !models.some((model) => model.name === name));
  if (unknown.length) throw new Error(`There is no model ${unknown.join(", ")}.`);
  const actions = listed(dataset.actions);
  const may = (name) => !actions.length || actions.includes(name);
  const behindSort = ({ route, keeps }) => route === "canonicalization" && !keeps.includes("within");
  const sorted = models.filter(behindSort).map(({ name }) => name);
  return { models, may, sorted, keepsAddress: "address" in dataset };
}
