// Puts a picture that moves into the place of a still one.

export function move(figure, picture) {}
