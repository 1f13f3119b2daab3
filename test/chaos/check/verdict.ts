/** Compares what one producer's callers were told with what was read back. */
import type { Role } from '../roles.js'
import type { Copy, Found } from './found.js'
import type { Told, ToldMessage } from './told.js'

export type Kind =
  /** Acknowledged, and not there. */
  | 'lost'
  /** Acknowledged elsewhere than where it stands. */
  | 'misplaced'
  /** There twice, though it had a sequence. */
  | 'duplicated'
  /** Told not to have been written, and there. */
  | 'refused but there'
  /** Behind a message that was given later, in the same partition. */
  | 'out of order'
  /** Of a committed transaction, and not there. */
  | 'committed and lost'
  /** Of an aborted transaction, and there. */
  | 'aborted and there'
  /** Of a transaction, some messages of which are there, and some not. */
  | 'torn'
  /** Nobody was told what became of it. */
  | 'without a fate'
  | 'told twice'
  /** The producer's process did not do what it was to. */
  | 'broken'
  /** Stands there, and nobody gave it; or not as it was given. */
  | 'foreign'

export interface Finding {
  readonly kind: Kind
  /** False where Kafka itself allows it. */
  readonly isViolation: boolean
  readonly worker: string
  readonly what: string
  readonly message?: ToldMessage
  readonly copies?: readonly Copy[]
}

export interface Rules {
  /** Whether brokers keep what all in-sync replicas have acknowledged, and heed sequences: Kafka 0.11 and later. */
  readonly isReliable: boolean
}

/**
 * @param found what readers of committed messages see
 * @param wasKilled its process was: not all has an end
 */
export function judge(
  { role, wasKilled }: { readonly role: Role; readonly wasKilled: boolean },
  told: Told,
  found: Found,
  { isReliable }: Rules,
): Finding[] {
  const findings: Finding[] = []
  const isKept = isReliable && role.acks === -1 && !role.isFleeting
  const find = (kind: Kind, isViolation: boolean, what: string, message?: ToldMessage): void => {
    const copies = message === undefined ? [] : found.of(message.sequence)
    findings.push({ kind, isViolation, worker: role.name, what, ...(message !== undefined && { message, copies }) })
  }
  for (const { at, what } of told.broken) find('broken', true, `${new Date(at).toISOString()} ${what}`)
  if (!told.hasFinished && !wasKilled) find('broken', true, 'its journal has no end')
  const transactions = new Map<number, ToldMessage[]>()
  for (const message of told.messages) {
    const copies = found.of(message.sequence)
    if (copies.length > 1) find('duplicated', role.idempotent && isReliable, `${copies.length} copies`, message)
    if (message.transaction > 0) {
      const others = transactions.get(message.transaction)
      if (others === undefined) transactions.set(message.transaction, [message])
      else others.push(message)
    } else judgeOne(message, copies)
  }
  for (const [transaction, messages] of transactions) judgeTransaction(transaction, messages)
  for (const { sequence, by, copy } of found.overtaken) {
    const message = told.messages[sequence]
    // Of what may have been written nobody knows when; without sequences it may arrive late.
    const isCertain = role.idempotent || message?.fate?.offset !== undefined
    find(
      'out of order',
      isReliable && role.acks === -1 && isCertain,
      `message ${by} stands before it at ${placeOf(copy)}`,
      message,
    )
  }
  return findings

  function judgeOne(message: ToldMessage, copies: readonly Copy[]): void {
    const { fate } = message
    if (message.timesTold > 1) find('told twice', true, `${message.timesTold} times`, message)
    if (fate === undefined) {
      if (!wasKilled) find('without a fate', true, 'nobody was told', message)
      return
    }
    if (fate.mayHaveBeenWritten === false && copies.length > 0)
      return find('refused but there', true, `failed with ${fate.code ?? ''}`, message)
    if (fate.offset === undefined) return
    if (copies.length === 0) return find('lost', isKept, `acknowledged at ${fate.partition}:${fate.offset}`, message)
    const isThere = copies.some(({ partition, offset }) => partition === fate.partition && offset === fate.offset)
    if (fate.offset >= 0 && !isThere)
      find('misplaced', isKept, `acknowledged at ${fate.partition}:${fate.offset}`, message)
  }

  function judgeTransaction(transaction: number, messages: readonly ToldMessage[]): void {
    const end = told.transactions.get(transaction)
    const there = messages.filter(({ sequence }) => found.of(sequence).length > 0)
    const missing = messages.filter(({ sequence }) => found.of(sequence).length === 0)
    const [some, other] = [there[0], missing[0]]
    const what = `transaction ${transaction}, ${there.length} of ${messages.length} messages are there`
    if (end === undefined && !wasKilled) find('without a fate', true, `${what}, and nobody was told`, messages[0])
    if (end?.outcome === 'aborted' && some !== undefined) find('aborted and there', true, `${what}, ${end.code}`, some)
    else if (end?.outcome === 'committed' && other !== undefined) find('committed and lost', isKept, what, other)
    else if (some !== undefined && other !== undefined) find('torn', isKept, what, other)
  }
}

export function placeOf({ topic, partition, offset }: Copy): string {
  return `${topic}-${partition} offset ${offset}`
}
