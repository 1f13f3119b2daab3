/** Where chance comes from. Whoever plays with it was handed one: tests have dice that fall the same way again. */
export interface Random {
  /** From 0 up to but not including 1. */
  readonly number: () => number
  /** What nobody can guess, for nonces. */
  readonly bytes: (count: number) => Buffer
}

/** The system's. */
export const systemRandom: Random = {
  number: () => Math.random(),
  // Loaded by whoever needs it: not every Node has it.
  bytes: (count) => process.getBuiltinModule('node:crypto').randomBytes(count),
}

/** A whole number from 0 up to but not including `end`. */
export function randomInteger(random: Random, end: number): number {
  return Math.floor(random.number() * end)
}
