/** A variable of the environment; undefined where this program may not read it, for which Deno throws. */
export function environmentVariable(name: string): string | undefined {
  try {
    return process.env[name]
  } catch {
    return undefined
  }
}
