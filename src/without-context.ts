import { AsyncLocalStorage } from 'node:async_hooks'

/**
 * Calls a function with what `AsyncLocalStorage` held when this package was loaded: nothing, mostly. Connections and timers
 * serve all calls and outlive each of them: begun in the context of the one that happens to need them first, they would
 * keep that for ever, and all that they call back would seem to be of it.
 */
export const withoutContext = AsyncLocalStorage.snapshot()
