/** Has something to tell yet, for which its own timer does not keep the process alive. */
export interface LateTeller {
  tellAll(): void
}

const tellers = new Set<LateTeller>()

/** What is told then may keep the process alive a while longer; it is asked again. */
const onBeforeExit = (): void => {
  for (const teller of [...tellers]) teller.tellAll()
}

/** Has it tell what it has before the process ends by itself. Nothing listens to the process as long as nobody has any. */
export function tellBeforeExit(teller: LateTeller): void {
  if (tellers.size === 0) process.on('beforeExit', onBeforeExit)
  tellers.add(teller)
}

/** It has told all. */
export function hasToldAll(teller: LateTeller): void {
  if (tellers.delete(teller) && tellers.size === 0) process.off('beforeExit', onBeforeExit)
}
