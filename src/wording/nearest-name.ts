/** More letters than this are no slip of the fingers. */
const MAX_SLIPS = 3

/**
 * The name that was likely meant by `wanted`, for "did you mean"; undefined where none is near. Who follows a guess that
 * is far off sets something else: `session.timeout.ms` is not `request.timeout.ms`.
 */
export function nearestName(wanted: string, names: readonly string[]): string | undefined {
  const lower = wanted.toLowerCase()
  let nearest: string | undefined
  let slips = Math.min(MAX_SLIPS, Math.floor(wanted.length / 3)) + 1
  for (const name of names) {
    const distance = editDistance(lower, name.toLowerCase())
    if (distance < slips) [nearest, slips] = [name, distance]
  }
  return nearest
}

/** How many letters to insert, remove, replace, or swap with the next one. */
function editDistance(a: string, b: string): number {
  let before: number[] = []
  let row = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const replaced = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1)
      const isSwapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]
      const swapped = isSwapped ? (before[j - 2] ?? 0) + 1 : Infinity
      next.push(Math.min(replaced, swapped, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1))
    }
    before = row
    row = next
  }
  return row[b.length] ?? 0
}
