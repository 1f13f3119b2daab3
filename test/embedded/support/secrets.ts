/** Looks for a secret in whatever can be printed, in any form in which it may have got there. */
import buffer from 'node:buffer'
import { inspect } from 'node:util'

// Buffers show themselves whole.
buffer.INSPECT_MAX_BYTES = 1 << 20

/** Text that shows the secret to whoever reads it, or decodes it. */
function forms(secret: Buffer): string[] {
  const bytes = [...secret]
  const hex = bytes.map((byte) => byte.toString(16).padStart(2, '0'))
  const text = secret.toString('latin1')
  // In base64 it depends on where among three bytes it begins; the characters at both ends have bits of neighbours.
  const base64 = [0, 1, 2].map((before) => {
    const encoded = Buffer.concat([Buffer.alloc(before), secret])
      .toString('base64')
      .replace(/=+$/, '')
    return encoded.slice(before === 0 ? 0 : before + 1, (before + secret.length) % 3 === 0 ? undefined : -1)
  })
  const base64url = base64.map((encoded) => encoded.replaceAll('+', '-').replaceAll('/', '_'))
  return [
    text,
    encodeURIComponent(text),
    JSON.stringify(text).slice(1, -1),
    ...base64,
    ...base64url,
    hex.join(''),
    hex.join(' '),
    bytes.join(', '),
    bytes.join(','),
  ]
}

/** Everything that printing a value, or an error with its causes, can bring to light. */
function shown(value: unknown): string {
  const texts = [
    inspect(value, {
      depth: Infinity,
      showHidden: true,
      getters: true,
      maxStringLength: Infinity,
      maxArrayLength: Infinity,
      breakLength: Infinity,
    }),
    String(value),
    JSON.stringify(value, withoutCycles()) ?? '',
  ]
  for (let error = value; error instanceof Error; error = error.cause)
    texts.push(error.message, error.stack ?? '', shown({ ...error }))
  return texts.join('\n')
}

/** JSON has no cycles, and the objects inspected have many. */
function withoutCycles(): (key: string, value: unknown) => unknown {
  const visited = new Set<unknown>()
  return (_, value) => {
    if (typeof value === 'bigint') return String(value)
    if (typeof value !== 'object' || value === null) return value
    if (visited.has(value)) return undefined
    visited.add(value)
    return value
  }
}

/** The forms in which any of the secrets can be seen. */
export function leaks(value: unknown, secrets: readonly (string | Buffer)[]): string[] {
  const text = shown(value)
  return secrets.flatMap((secret) => forms(Buffer.from(secret))).filter((form) => text.includes(form))
}
