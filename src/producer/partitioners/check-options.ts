import { InvalidConfigError } from '../../errors.js'
import { shown } from '../../shown.js'

/** @throws InvalidConfigError for what is not true or false: every text is true, 'false' as well. */
export function checkFlag(name: string, value: unknown): void {
  if (typeof value !== 'boolean') throw refused(name, value, 'true or false')
}

/** @throws InvalidConfigError for what has no options, such as null */
export function checkIsObject(options: unknown): void {
  if (typeof options !== 'object' || options === null) throw refused('options', options, 'an object')
}

/** @throws InvalidConfigError */
export function checkRandom(random: unknown): void {
  if (typeof random !== 'function') throw refused('random', random, 'a function such as Math.random')
}

export function refused(name: string, value: unknown, allowed: string): InvalidConfigError {
  return new InvalidConfigError(`${name}: given was ${shown(value)}, allowed is ${allowed}`)
}
