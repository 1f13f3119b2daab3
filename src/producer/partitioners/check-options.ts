import { InvalidConfigError } from '../../errors.js'
import { given, readable } from '../../given.js'
import { isRecord } from '../../is-record.js'
import { shown } from '../../wording/shown.js'

/** @throws InvalidConfigError for what is not true or false: every text is true, 'false' as well. */
export function checkFlag(name: string, value: unknown): void {
  if (typeof value !== 'boolean') throw refused(name, value, 'true or false')
}

/**
 * Options as they were given. One under another name would have no effect: messages would go to other partitions than was
 * asked for, and nobody would know.
 *
 * @throws InvalidConfigError for what has no options, such as null; for one that there is not; for what can't be read
 */
export function readOptions<O extends object>(options: O, known: readonly (keyof O & string)[]): O {
  return readable(
    () => {
      if (!isRecord(options)) throw refused('options', options, `an object with ${known.join(', ')}`)
      const read = given(options)
      const unknown = Object.keys(read).find((name) => !(known as readonly string[]).includes(name))
      if (unknown === undefined) return read
      throw new InvalidConfigError(
        `options: there is no option ${shown(unknown)} of this partitioner; it has ${known.join(', ')}`,
      )
    },
    () => 'the options of a partitioner',
  )
}

/** @throws InvalidConfigError */
export function checkRandom(random: unknown): void {
  if (typeof random !== 'function') throw refused('random', random, 'a function such as Math.random')
}

export function refused(name: string, value: unknown, allowed: string): InvalidConfigError {
  return new InvalidConfigError(`${name}: given was ${shown(value)}, allowed is ${allowed}`)
}
