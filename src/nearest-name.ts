/** The name most like `wanted`, for "did you mean". */
export function nearestName(wanted: string, names: readonly string[]): string {
  const lower = wanted.toLowerCase()
  return names.reduce((best, name) =>
    editDistance(lower, name.toLowerCase()) < editDistance(lower, best.toLowerCase()) ? name : best,
  )
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
