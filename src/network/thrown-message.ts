/**
 * What an error says, whatever it is an instance of: Node's own are of another realm where a program runs in a context
 * of its own, as under Jest. Undefined for what is no error, which may be a secret.
 */
export function thrownMessage(thrown: unknown): string | undefined {
  const { message } = (typeof thrown === 'object' && thrown !== null ? thrown : {}) as { message?: unknown }
  return typeof message === 'string' ? message : undefined
}
