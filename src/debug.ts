import { formatWithOptions } from 'node:util'
import { environmentVariable } from './environment.js'
import { optionalPackage } from './optional-package.js'

export type Debug = (format: string, ...args: unknown[]) => void

/**
 * Lines for whoever looks for a fault: printed where the environment's `DEBUG` names them, as in `kafka-producer:*`.
 *
 * The package `debug` does so. It is loaded with the first line, and by a way that bundlers do not follow: in a bundle
 * of ES modules its `require('tty')` stops the program at its start. Where it can't be found, as beside such a bundle,
 * `DEBUG` is heeded here.
 */
export function createDebug(namespace: string): Debug {
  let print: Debug | undefined
  return (format, ...args) => {
    print ??= (optionalPackage('debug') as typeof createDebug | null)?.(namespace) ?? plainDebug(namespace)
    print(format, ...args)
  }
}

/** The same with less: no colours, no time since the line before. */
export function plainDebug(
  namespace: string,
  DEBUG = environmentVariable('DEBUG') ?? '',
  out: NodeJS.WritableStream = process.stderr,
): Debug {
  const patterns = DEBUG.split(/[\s,]+/).filter((pattern) => pattern !== '')
  const wanted = patterns.some((pattern) => matches(pattern, namespace))
  const unwanted = patterns.some((pattern) => pattern.startsWith('-') && matches(pattern.slice(1), namespace))
  if (!wanted || unwanted) return () => undefined
  return (format, ...args) => {
    out.write(`${new Date().toISOString()} ${namespace} ${formatWithOptions({}, format, ...args)}\n`)
  }
}

function matches(pattern: string, namespace: string): boolean {
  const source = pattern.replace(/[.+?^${}()|[\]\\]/g, '\\$&').replaceAll('*', '.*')
  return new RegExp(`^${source}$`).test(namespace)
}
