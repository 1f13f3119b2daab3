/**
 * A server's log goes to its stdout, which is its log file. A tool's warnings go to stderr, since its stdout is its result.
 */
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Release } from './releases.js'

const here = dirname(fileURLToPath(import.meta.url))

export function loggingFlags(release: Release, kind: 'server' | 'tool'): string[] {
  const level = `-Dlog.level=${kind === 'server' ? 'INFO' : 'WARN'}`
  if (release.logging === 'log4j2') {
    return [
      `-Dlog4j2.configurationFile=${join(here, 'log4j2.properties')}`,
      level,
      `-Dlog.target=SYSTEM_${kind === 'server' ? 'OUT' : 'ERR'}`,
    ]
  }
  return [
    `-Dlog4j.configuration=file:${join(here, 'log4j.properties')}`,
    level,
    `-Dlog.target=System.${kind === 'server' ? 'out' : 'err'}`,
    // ZooKeeper registers beans of a log4j class that reload4j has moved.
    '-Dzookeeper.jmx.log4j.disable=true',
  ]
}
