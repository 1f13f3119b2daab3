/** Reads everything back, and compares it with the journals. */
import { createReadStream } from 'node:fs'
import { readLine } from '../journal.js'
import { identityOf, isKeyless, keyOf, valueOf } from '../messages.js'
import type { Role } from '../roles.js'
import { Found } from './found.js'
import { readBack, type Line } from './read-back.js'
import { Told } from './told.js'
import { judge, type Finding, type Rules } from './verdict.js'

export interface Journalled {
  readonly role: Role
  readonly journal: string
  readonly wasKilled: boolean
}

export interface Checked {
  readonly findings: readonly Finding[]
  readonly given: number
  readonly acknowledged: number
  readonly failed: number
  readonly read: number
}

export async function check(
  producers: readonly Journalled[],
  topics: readonly string[],
  bootstrap: string,
  release: string,
  rules: Rules,
): Promise<Checked> {
  const told = new Map<string, Told>()
  const found = new Map<string, Found>()
  for (const { role, journal } of producers) {
    told.set(role.name, await readJournal(journal))
    found.set(role.name, new Found((sequence) => !isKeyless(sequence)))
  }
  const foreign: Finding[] = []
  let read = 0
  for (const topic of topics) {
    await readBack(bootstrap, topic, release, (line) => {
      read++
      const sequence = ownSequence(line, topic, told)
      const { partition, offset, value } = line
      if (sequence === undefined) {
        const what = `${topic}-${partition} offset ${offset}: ${value.slice(0, 100)}`
        foreign.push({ kind: 'foreign', isViolation: true, worker: '-', what })
      } else found.get(identityOf(value)?.worker ?? '')?.add(sequence, { topic, partition, offset })
    })
  }
  const findings = producers.flatMap(({ role, wasKilled }) =>
    judge({ role, wasKilled }, told.get(role.name) ?? new Told(), found.get(role.name) ?? new Found(() => true), rules),
  )
  const count = { given: 0, acknowledged: 0, failed: 0 }
  for (const { messages, transactions } of told.values())
    for (const { fate, transaction } of messages) {
      count.given++
      const outcome = transactions.get(transaction)?.outcome
      if (fate?.offset !== undefined || outcome === 'committed') count.acknowledged++
      else if (fate !== undefined || outcome !== undefined) count.failed++
    }
  return { findings: [...foreign, ...findings], ...count, read }
}

export async function readJournal(path: string): Promise<Told> {
  const told = new Told()
  let left = ''
  for await (const text of createReadStream(path, 'utf8') as AsyncIterable<string>) {
    const lines = `${left}${text}`.split('\n')
    // A process that was killed may have left half a line.
    left = lines.pop() ?? ''
    for (const line of lines) readLine(line, told)
  }
  return told
}

/** Undefined for what was not given like that, or not to that topic. */
function ownSequence({ key, value }: Line, topic: string, told: ReadonlyMap<string, Told>): number | undefined {
  const { worker = '', sequence = -1 } = identityOf(value) ?? {}
  const message = told.get(worker)?.messages[sequence]
  const isOurs = message?.topic === topic && valueOf(worker, sequence) === value && (keyOf(sequence) ?? '') === key
  return isOurs ? sequence : undefined
}
