import type { Hash } from 'node:crypto'

/** Options of TLS have three levels; what is deeper is none of Node's, or leads back to itself. */
const MAX_DEPTH = 8

/**
 * Two values of the same content have the same digest, and no others: it is kept where the values themselves must not be,
 * since they may be secret, or be changed later. Undefined where the content can't be seen: that of functions, of native
 * objects, of instances of any class.
 */
export function contentDigest(value: unknown): string | undefined {
  const hash = process.getBuiltinModule('node:crypto').createHash('sha256')
  try {
    return add(hash, value, 0) ? hash.digest('base64') : undefined
  } catch {
    // A getter that throws.
    return undefined
  }
}

/** @returns whether all of it could be seen */
function add(hash: Hash, value: unknown, depth: number): boolean {
  if (depth > MAX_DEPTH) return false
  if (value === null || ['undefined', 'boolean', 'number', 'bigint', 'string'].includes(typeof value)) {
    addPart(hash, value === null ? 'null' : typeof value, Buffer.from(String(value)))
    return true
  }
  if (ArrayBuffer.isView(value)) {
    addPart(hash, 'bytes', new Uint8Array(value.buffer, value.byteOffset, value.byteLength))
    return true
  }
  if (Array.isArray(value)) {
    hash.update(`list ${value.length}\n`)
    return value.every((item) => add(hash, item, depth + 1))
  }
  if (!isPlainObject(value)) return false
  const names = Object.keys(value).toSorted()
  hash.update(`object ${names.length}\n`)
  return names.every((name) => add(hash, name, depth + 1) && add(hash, value[name], depth + 1))
}

function addPart(hash: Hash, kind: string, bytes: Uint8Array): void {
  hash.update(`${kind} ${bytes.length}\n`).update(bytes)
}

/** Of whatever realm: the prototype of instances has one itself. */
function isPlainObject(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === null || Object.getPrototypeOf(prototype) === null
}
