import { promisify } from 'node:util'
import { Secret } from '../secret.js'

/** Loaded by whoever logs in, and not with the library. */
const crypto = () => process.getBuiltinModule('node:crypto')

/** What a password is salted with, as the broker says. */
export interface Salting {
  /** In base64. */
  readonly salt: string
  readonly iterations: number
}

interface Kept extends Salting {
  readonly password: string
  readonly salted: Buffer
}

/**
 * The salted passwords of SCRAM (RFC 5802: SaltedPassword). Making one is dear on purpose, and is done by the threads that
 * files, names and compression of the whole process need too. So it is one at a time, and the newest is kept: all
 * brokers of a cluster store a user's password with the same salt.
 */
export class SaltedPasswords {
  #kept: Secret<Kept> | undefined
  #lastInLine: Promise<unknown> = Promise.resolve()

  constructor(private readonly hash: 'sha256' | 'sha512') {}

  /** @param gone aborted when nobody needs it any more: it is not made then, when its turn comes */
  salted(password: string, salting: Salting, gone?: AbortSignal): Promise<Buffer> {
    const turn = this.#lastInLine.then(() => {
      gone?.throwIfAborted()
      return this.make(password, salting)
    })
    this.#lastInLine = turn.catch(() => undefined)
    return turn
  }

  private async make(password: string, { salt, iterations }: Salting): Promise<Buffer> {
    const kept = this.#kept?.reveal()
    if (kept?.password === password && kept.salt === salt && kept.iterations === iterations) return kept.salted
    const length = this.hash === 'sha256' ? 32 : 64
    const salted = await promisify(crypto().pbkdf2)(
      password,
      Buffer.from(salt, 'base64'),
      iterations,
      length,
      this.hash,
    )
    this.#kept = new Secret({ password, salt, iterations, salted })
    return salted
  }
}
