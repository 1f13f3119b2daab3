/*
 * Errors of this package may come from code of the user's, too: an encoder may well throw a SerializationError. What is said
 * there is the user's own, and may quote the message; so whoever calls such code notes what it threw.
 */
const ours = new WeakSet<Error>()
const users = new WeakSet<Error>()

/** Of an error that is made here where code of the user's may be as well: nothing of a message is in its words. */
export function inOurWords<E extends Error>(error: E): E {
  ours.add(error)
  return error
}

export function isInOurWords(thrown: unknown): boolean {
  return thrown instanceof Error && ours.has(thrown)
}

/** What an encoder or a partitioner threw, which may be one of this package. */
export function noteThrown(thrown: unknown): void {
  if (thrown instanceof Error && !ours.has(thrown)) users.add(thrown)
}

export function isInUsersWords(thrown: unknown): boolean {
  return thrown instanceof Error && users.has(thrown)
}
