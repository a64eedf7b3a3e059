// Making and finding elements. Text only ever becomes text, never markup.

export const at = (id) => document.getElementById(id);

export function make(tag, className, text = "", dir = "") {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (dir) element.dir = dir;
  element.textContent = text;
  return element;
}

export function makeButton(className, text, act) {
  const button = make("button", className, text);
  button.type = "button";
  button.addEventListener("click", () => act(button));
  return button;
}
