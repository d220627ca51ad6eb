// The second click of a double click. The first has done its work by then: a row is gone and the next has moved up, or
// a button that asks "sure?" stands where the first stood. What the second click meets there was not meant.

let last = null;

function clicked(event) {
  const pressed = event.target.closest?.("button, a");
  if (!pressed) return;
  // `detail` counts the clicks at one place, as fast as the person's system has it; a key has none.
  if (event.detail > 1 && pressed !== last) {
    event.preventDefault();
    event.stopImmediatePropagation();
  } else last = pressed;
}

document.addEventListener("click", clicked, true);
