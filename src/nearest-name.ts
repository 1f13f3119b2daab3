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

/** Levenshtein's: how many letters to insert, remove or replace. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const replaced = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1)
      next.push(Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1))
    }
    row = next
  }
  return row[b.length] ?? 0
}
