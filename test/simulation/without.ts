/** The same without some of its fields. */
export function without<T extends object, N extends string>(fields: T, ...names: readonly N[]): Omit<T, N> {
  return Object.fromEntries(
    Object.entries(fields).filter(([field]) => !(names as readonly string[]).includes(field)),
  ) as Omit<T, N>
}
