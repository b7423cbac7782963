import { useEffect, useState } from "preact/hooks";

/**
 * A value that several parts of the page watch.
 * @template T
 */
export class Store {
  /** @param {T} value */
  constructor(value) {
    this.value = value;
    /** @type {Set<() => void>} */
    this.watchers = new Set();
  }

  /** @param {T} value */
  set(value) {
    if (Object.is(value, this.value)) return;
    this.value = value;
    for (const watcher of [...this.watchers]) watcher();
  }

  /** @param {() => void} watcher @returns {() => void} stops watching */
  watch(watcher) {
    this.watchers.add(watcher);
    return () => this.watchers.delete(watcher);
  }
}

/**
 * @template T
 * @param {Store<T>} store
 * @returns {T} its present value; the component is drawn again when it changes
 */
export function useStore(store) {
  const [value, setValue] = useState(() => store.value);
  useEffect(() => {
    setValue(() => store.value);
    return store.watch(() => setValue(() => store.value));
  }, [store]);
  return value;
}
