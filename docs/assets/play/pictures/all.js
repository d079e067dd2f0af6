// Every picture that moves, by the name that the cell of its still figure gives in `moves`.

export const pictures = {};
