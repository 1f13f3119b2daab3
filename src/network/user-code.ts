import { Deadline, type Clock } from '../clock.js'
import { orAborted } from './or-aborted.js'

/** A function of the user's gave nothing in time. */
export class NothingCame extends Error {
  constructor(readonly timeoutMs: number) {
    super(`nothing came within ${timeoutMs} ms`)
  }
}

/**
 * Asks a function of the user's: the one place from where this folder calls any that gives something back. It may throw,
 * reject, give a promise of its own making, or never settle; and it may call back into the producer, so it is called in a
 * step of its own, when nothing is half done.
 *
 * @param gone aborted when nobody needs the answer any more
 * @throws what the function throws; `gone`'s reason; NothingCame after `timeoutMs`
 */
export async function askUser<T>(
  clock: Clock,
  call: () => T | PromiseLike<T>,
  timeoutMs: number,
  gone?: AbortSignal,
): Promise<T> {
  let deadline: Deadline | undefined
  const late = new Promise<never>((_, reject) => {
    deadline = new Deadline(clock, timeoutMs, () => reject(new NothingCame(timeoutMs))).unref()
  })
  try {
    // Nor is it called for whom nobody waited any more before that step came.
    const step = Promise.resolve().then(() => gone?.throwIfAborted())
    const answer = Promise.race([step.then(call), late])
    return await (gone === undefined ? answer : orAborted(answer, gone))
  } finally {
    deadline?.cancel()
  }
}
