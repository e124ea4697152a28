/*
 * gestures.js - wheel, drag, pinch and keys, as moves of the span.
 *
 * What is under a finger stays under it: each pointer is held with the time it came down on, and the span
 * is whatever puts these times where the pointers are now. Vertical swipes are left to the page.
 */

const THRESHOLD_PX = 4; // less is a click
const LINE_PX = 16, PAGE_PX = 400; // of a wheel that counts in lines, in pages

/* `port`: {span() -> [from, to], look(from, to) -> changed?, reach(name), leave()} */
export function listenToGestures(root, port) {
  const pointers = new Map(); // id to {x, time}
  let pad = null, moved = 0, picking = null;

  const share = (event) => {
    const box = pad.getBoundingClientRect();
    return (event.clientX - box.left) / box.width;
  };
  const timeAt = (at) => {
    const [from, to] = port.span();
    return from + (to - from) * at;
  };

  function zoom(factor, at) {
    const [from, to] = port.span(), fixed = from + (to - from) * at;
    return port.look(fixed - (fixed - from) * factor, fixed + (to - fixed) * factor);
  }

  function pan(by) {
    const [from, to] = port.span(), shift = (to - from) * by;
    return port.look(from + shift, to + shift);
  }

  function onWheel(event) {
    const over = event.target.closest('.pad');
    if (!over) return;
    pad = over;
    const unit = [1, LINE_PX, PAGE_PX][event.deltaMode];
    const sideways = event.shiftKey ? event.deltaX || event.deltaY : event.deltaX;
    const changed = Math.abs(sideways) > Math.abs(event.shiftKey ? 0 : event.deltaY)
      ? pan((sideways * unit) / over.clientWidth)
      : zoom(Math.exp(Math.max(-240, Math.min(240, event.deltaY * unit)) * 0.0022), share(event));
    // At the end of the zoom the wheel is the page's again.
    if (changed) event.preventDefault();
  }

  function hold(event) {
    pointers.set(event.pointerId, { x: share(event) });
    for (const pointer of pointers.values()) pointer.time = timeAt(pointer.x);
  }

  function onDown(event) {
    const over = event.target.closest('.pad');
    if (!over || event.button !== 0) return;
    if (pointers.size === 0) {
      [pad, moved] = [over, 0];
      picking = event.shiftKey ? share(event) : null;
    }
    hold(event);
  }

  function showPick(now) {
    const [left, right] = [picking, now].sort((a, b) => a - b);
    port.pick(pad, Math.max(0, left), Math.min(1, right));
  }

  function drag() {
    const [from, to] = port.span();
    const [one, two] = [...pointers.values()].sort((a, b) => a.time - b.time);
    let length = to - from;
    if (two && Math.abs(two.x - one.x) > 0.02) length = Math.abs((two.time - one.time) / (two.x - one.x));
    port.look(one.time - one.x * length, one.time + (1 - one.x) * length);
  }

  function onMove(event) {
    const pointer = pointers.get(event.pointerId);
    if (!pointer) return;
    const x = share(event);
    moved = Math.max(moved, Math.abs(x - pointer.x) * pad.clientWidth);
    if (moved < THRESHOLD_PX) return;
    if (!root.classList.contains('dragging')) {
      root.classList.add('dragging');
      pad.setPointerCapture(event.pointerId);
      port.leave();
    }
    pointer.x = x;
    if (picking === null) drag();
    else showPick(x);
  }

  function onUp(event) {
    const pointer = pointers.get(event.pointerId);
    if (!pointer) return;
    if (event.type === 'pointerup' && picking === null && moved >= THRESHOLD_PX) {
      pointer.x = share(event); // a busy browser may have left out the last move
      drag();
    }
    pointers.delete(event.pointerId);
    for (const rest of pointers.values()) rest.time = timeAt(rest.x);
    if (picking !== null) {
      port.pick(pad, 0, 0);
      const ends = [picking, pointer.x].sort((a, b) => a - b).map((x) => timeAt(Math.max(0, Math.min(1, x))));
      if (event.type === 'pointerup' && moved >= THRESHOLD_PX) port.look(...ends);
      picking = null;
    }
    if (pointers.size === 0) root.classList.remove('dragging');
  }

  const keys = {
    ArrowLeft: () => pan(-0.2), ArrowRight: () => pan(0.2),
    ArrowUp: () => zoom(0.7, 0.5), ArrowDown: () => zoom(1 / 0.7, 0.5),
    '+': () => zoom(0.5, 0.5), '=': () => zoom(0.5, 0.5), '-': () => zoom(2, 0.5), '_': () => zoom(2, 0.5),
    PageUp: () => pan(-1), PageDown: () => pan(1),
    Home: () => port.reach('first'), End: () => port.reach('now'), 0: () => port.reach('all'),
  };

  function onKey(event) {
    if (event.target !== root || event.ctrlKey || event.metaKey || event.altKey || !keys[event.key]) return;
    event.preventDefault();
    keys[event.key]();
  }

  root.addEventListener('wheel', onWheel, { passive: false });
  root.addEventListener('pointerdown', onDown);
  root.addEventListener('pointermove', onMove);
  root.addEventListener('pointerup', onUp);
  root.addEventListener('pointercancel', onUp);
  root.addEventListener('dblclick', (event) => {
    pad = event.target.closest('.pad');
    if (pad) zoom(event.shiftKey ? 3 : 1 / 3, share(event));
  });
  root.addEventListener('keydown', onKey);
  return { zoom: (factor) => zoom(factor, 0.5), pan };
}
