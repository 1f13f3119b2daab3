/** How many entries are kept at the least: more topics than most producers have, and little memory even of the longest names. */
const LEAST_KEPT = 16_384

/**
 * A map of what is cheap to find out again, so that it need not keep all. It has two generations: once the younger is
 * full it becomes the older, and what nobody asked for since then is forgotten. Twice {@link LEAST_KEPT} is the most that
 * it keeps.
 */
export class BoundedMap<K, V> {
  private younger = new Map<K, V>()
  private older = new Map<K, V>()

  get size(): number {
    return this.younger.size + this.older.size
  }

  get(key: K): V | undefined {
    const young = this.younger.get(key)
    if (young !== undefined) return young
    const old = this.older.get(key)
    if (old !== undefined) this.set(key, old)
    return old
  }

  has(key: K): boolean {
    return this.get(key) !== undefined
  }

  set(key: K, value: V): void {
    this.older.delete(key)
    this.younger.set(key, value)
    if (this.younger.size < LEAST_KEPT) return
    this.older = this.younger
    this.younger = new Map()
  }

  clear(): void {
    this.younger.clear()
    this.older.clear()
  }
}
