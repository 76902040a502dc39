import { useEffect, useState } from 'react';

/** How long a value must stay as it is, in milliseconds. */
const SETTLED_MS = 250;

/** The last value that stayed as it was for a moment; the first at once. */
export function useSettled<T>(value: T): T {
  const [settled, setSettled] = useState(value);
  useEffect(() => {
    const timer = setTimeout(() => {
      setSettled(value);
    }, SETTLED_MS);
    return () => {
      clearTimeout(timer);
    };
  }, [value]);
  return settled;
}
