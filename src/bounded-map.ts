/** How many entries are kept: more topics than most producers have, and little memory even of the longest names. */
const MAX_ENTRIES = 4_096

/** A map of what is cheap to find out again: when it is full, the oldest entry makes room for a new one. */
export class BoundedMap<K, V> extends Map<K, V> {
  override set(key: K, value: V): this {
    if (this.size >= MAX_ENTRIES && !this.has(key)) this.delete(this.keys().next().value as K)
    return super.set(key, value)
  }
}
