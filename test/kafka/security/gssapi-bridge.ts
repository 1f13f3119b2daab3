/** GSSAPI without native code in this process: a Python program makes the tokens, one process for each connection. */
import { spawn, type ChildProcess } from 'node:child_process'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { SaslAuthenticator } from '../../../src/index.js'
import { PYTHON } from './kerberos.js'

const PROGRAM = join(dirname(fileURLToPath(import.meta.url)), 'gssapi-bridge.py')

export interface GssapiBridge {
  readonly authenticator: SaslAuthenticator
  /** Ends the processes of exchanges that did not come to their end. */
  readonly close: () => void
}

/**
 * @param service what brokers are called before the slash of their principals
 * @param env where the ticket is
 */
export function gssapiBridge(service: string, env: NodeJS.ProcessEnv): GssapiBridge {
  const children = new Set<ChildProcess>()
  const authenticator: SaslAuthenticator = {
    begin({ host }) {
      const child = spawn(PYTHON, [PROGRAM, `${service}@${host}`], { env, stdio: ['pipe', 'pipe', 'ignore'] })
      children.add(child)
      child.once('exit', () => children.delete(child))
      child.stdin.on('error', () => undefined)
      const answers = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
      return {
        async next(challenge) {
          child.stdin.write(`${Buffer.from(challenge ?? []).toString('base64')}\n`)
          const { value: answer } = (await answers.next()) as IteratorResult<string, undefined>
          const [kind, content = ''] = /^(\w+) ?(.*)$/.exec(answer ?? 'error it has ended')?.slice(1) ?? []
          if (kind === 'token') return Buffer.from(content, 'base64')
          child.stdin.end()
          if (kind === 'end') return undefined
          throw new Error(`no token for ${service}@${host}: ${content}`)
        },
      }
    },
  }
  return { authenticator, close: () => children.forEach((child) => child.kill()) }
}
