/** Properties files: what Java's producer says of them, and what ours does. See properties/README.md. */
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { InvalidConfigError, ProducerConfig } from '../../src/index.js'
import { CASES, type FileCase } from './properties/cases.js'
import type { JavaAnswers } from './properties/java.js'

const java = JSON.parse(
  readFileSync(new URL('properties/kafka-clients-4.4.0.json', import.meta.url), 'utf8'),
) as JavaAnswers

function refusalOf({ file, beside }: FileCase): InvalidConfigError | ProducerConfig {
  try {
    return ProducerConfig.fromProperties(file, beside)
  } catch (error) {
    if (error instanceof InvalidConfigError) return error
    throw error
  }
}

describe('a properties file is taken here where Java’s producer takes it', () => {
  it('every case has its answer of Java', () => {
    expect(java.verdicts.map((answer) => answer.case)).toEqual(CASES.map(({ name }) => name))
  })

  it.each(CASES.map((one, index) => [one.name, one, java.verdicts[index]] as const))('%s', (_, one, answer) => {
    const verdict = answer?.verdict
    const ours = refusalOf(one)
    if (one.refusedHere !== undefined) {
      expect(verdict?.takes).toBe(true)
      expect(ours).toMatchObject({ code: 'INVALID_CONFIG', message: expect.stringMatching(one.refusedHere) })
    } else if (one.takenHere !== undefined) {
      expect(verdict?.takes).toBe(false)
      expect(ours).toBeInstanceOf(ProducerConfig)
    } else if (verdict?.takes === true) {
      expect(ours).toBeInstanceOf(ProducerConfig)
    } else {
      expect(ours).toMatchObject({ code: 'INVALID_CONFIG' })
    }
    if (one.options !== undefined) expect(ours).toMatchObject(one.options)
  })

  it.each(CASES.map((one, index) => [one.name, one, java.verdicts[index]] as const))(
    'names that Java only warns of are noted, none is lost: %s',
    (_, one, answer) => {
      const ours = refusalOf(one)
      if (answer?.verdict.takes !== true || ours instanceof InvalidConfigError) return
      const of08 = /^(producer\.type|serializer\.class|request\.required\.acks|metadata\.broker\.list)$/
      // A byte order mark is a name to Java.
      for (const name of answer.verdict.unknown.filter(
        (unknown) => !of08.test(unknown) && !unknown.startsWith('\uFEFF'),
      ))
        expect(ours.notes.filter((note) => note.includes(name))).not.toEqual([])
    },
  )
})

describe('every name of Java’s producer', () => {
  const needed = { 'bootstrap.servers': 'localhost:9092' }
  const withDefault = java.names.filter(({ default: value }) => value !== null)

  it('is known, with its default', () => {
    for (const { name, default: value } of withDefault) {
      const { notes } = ProducerConfig.fromProperties({ ...needed, [name]: value ?? '' })
      expect(notes.filter((note) => note.includes('unknown'))).toEqual([])
    }
  })

  it('is known, all of them with their defaults in one file', () => {
    const file = withDefault.map(({ name, default: value }) => `${name}=${value}\n`).join('')
    const { notes } = ProducerConfig.fromProperties(`${file}bootstrap.servers=localhost:9092\n`)
    expect(notes.filter((note) => note.includes('unknown'))).toEqual([])
  })

  it('is known where it has no default', () => {
    for (const { name } of java.names.filter((one) => one.default === null)) {
      let said = ''
      try {
        said = ProducerConfig.fromProperties({
          ...needed,
          'security.protocol': 'PLAINTEXT',
          [name]: 'localhost:1',
        }).notes.join()
      } catch (error) {
        said = (error as Error).message
      }
      expect(said).not.toContain('unknown')
    }
  })

  it.each([[{ producer: 'sync' }], [{ producer: 'async' }]] as const)(
    'takes every number at the ends of its range: %o',
    ({ producer }) => {
      for (const { name, type, allowed } of java.names.filter((one) => ['INT', 'LONG'].includes(one.type))) {
        const least = /^\[(-?\d+),/.exec(allowed)?.[1] ?? '0'
        const ends = [type === 'INT' ? '2147483647' : '9223372036854775807', least]
        for (const value of ends) {
          const file = { ...needed, 'producer.type': producer, [name]: value }
          const problem = /^(delivery\.timeout\.ms|compression\.\w+\.level|max\.in\.flight)/.test(name)
          if (!problem) expect(ProducerConfig.fromProperties(file)).toBeInstanceOf(ProducerConfig)
        }
      }
    },
  )
})
