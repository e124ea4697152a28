/*
 * dom.js - elements in one line.
 */

/* element('a', {href: '/', class: 'x', 'aria-label': 'y'}, 'text', child): null children are left out. */
export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value !== null && value !== false) made.setAttribute(key, value === true ? '' : value);
  }
  made.append(...children.filter((child) => child !== null));
  return made;
}

export function byId(id) {
  return document.getElementById(id);
}

/* Sets a text only when it is another one: a screen reader need not hear it again. */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/* What the reader chose last, on this device. */
export function recall(key) {
  try {
    return localStorage.getItem(`hearth.${key}`);
  } catch {
    return null;
  }
}

export function remember(key, value) {
  try {
    localStorage.setItem(`hearth.${key}`, value);
  } catch {
    // Storage is forbidden: it holds until the page is left.
  }
}
