/**
 * What `using` and `await using` look for. Node 20 and 22 give these symbols to their own realm alone: in others, such as
 * vitest's `vmThreads`, compilers look for those of the registry instead.
 */
const { asyncDispose, dispose } = Symbol as Partial<Pick<typeof Symbol, 'asyncDispose' | 'dispose'>>

export const ASYNC_DISPOSE: typeof Symbol.asyncDispose =
  asyncDispose ?? (Symbol.for('Symbol.asyncDispose') as typeof Symbol.asyncDispose)
export const DISPOSE: typeof Symbol.dispose = dispose ?? (Symbol.for('Symbol.dispose') as typeof Symbol.dispose)
