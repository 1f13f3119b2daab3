import { createRequire } from 'node:module'

/** A package that speeds things up where it is installed; null where it is not, or has no binary for this machine. */
export function optionalPackage(name: string): unknown {
  try {
    return createRequire(import.meta.url)(name)
  } catch {
    return null
  }
}
