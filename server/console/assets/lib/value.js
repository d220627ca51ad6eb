// A value that components follow.

import { useEffect, useState } from "../vendor/htm-preact.js";

/** Makes a value: read `.now`, change with `.set(value)`, follow with `.follow(told)`, which returns how to stop. */
export function value(first) {
  const followers = new Set();
  const made = {
    now: first,
    set(next) {
      if (Object.is(next, made.now)) return;
      made.now = next;
      for (const told of [...followers]) told(next);
    },
    follow(told) {
      followers.add(told);
      return () => followers.delete(told);
    },
  };
  return made;
}

/** Has a component drawn anew whenever a value changes; returns the value. */
export function useValue(made) {
  const [, draw] = useState(0);
  const drawn = made.now;
  useEffect(() => {
    const again = () => draw((n) => n + 1);
    if (!Object.is(made.now, drawn)) again(); // it has changed since it was drawn, when nobody followed it yet
    return made.follow(again);
  }, [made]);
  return drawn;
}
