/** What is sent: each message says in its value whose it is and which, so that every copy that is read back is known. */

const KEYS = 97
/** Every so many has no key: where it goes is the producer's choice. */
const KEYLESS = 10
const LONGEST_FILL = 800

export function keyOf(sequence: number): string | null {
  return isKeyless(sequence) ? null : `k${sequence % KEYS}`
}

export function isKeyless(sequence: number): boolean {
  return sequence % KEYLESS === 0
}

/** Text on one line, in parts well and in parts hardly to be compressed; the same for the same message. */
export function valueOf(worker: string, sequence: number): string {
  let state = Math.imul(sequence + 1, 0x9e3779b1) >>> 0
  const length = state % LONGEST_FILL
  let fill = ''
  while (fill.length < length) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    fill += state.toString(36)
    if (state % 3 === 0) fill += '-'.repeat(state % 40)
  }
  return `${worker} ${sequence} ${fill}`
}

/** Undefined for what none of ours can be. */
export function identityOf(value: string): { worker: string; sequence: number } | undefined {
  const [, worker, sequence] = /^(\S+) (\d+) /.exec(value) ?? []
  return worker === undefined ? undefined : { worker, sequence: Number(sequence) }
}
