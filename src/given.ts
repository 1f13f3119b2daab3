/**
 * A copy without the fields that are undefined: such a field is one that was not given, and must hide no default.
 * `{ ...defaults, ...given(options) }`
 */
export function given<T extends object>(options: T): T {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as T
}
