import { inspect } from 'node:util'
import { beforeEach, expect, it, onTestFinished, vi } from 'vitest'
import type { SaslExchange } from '../../../../src/network/sasl/mechanism.js'
import { SaltedPasswords } from '../../../../src/network/sasl/salted-passwords.js'
import { scramMechanism } from '../../../../src/network/sasl/scram.js'
import { Secret } from '../../../../src/network/secret.js'
import { turns, until } from '../../../embedded/support/producers.js'

type Callback = (error: Error | null, key: Buffer) => void

/** Derivations that were begun, each of which ends when the test says so. */
const begun: { password: string; salt: string; iterations: number; end: (key?: Buffer) => void }[] = []
beforeEach(() => {
  begun.length = 0
  const spy = vi.spyOn(process.getBuiltinModule('node:crypto'), 'pbkdf2').mockImplementation(((
    password: string,
    salt: Buffer,
    iterations: number,
    length: number,
    _: string,
    callback: Callback,
  ) => {
    begun.push({
      password,
      salt: salt.toString('base64'),
      iterations,
      end: (key = Buffer.alloc(length, begun.length)) => callback(null, key),
    })
  }) as never)
  onTestFinished(() => spy.mockRestore())
})

const salting = { salt: 'c2FsdA==', iterations: 4_096 }

it('one password is salted at a time, and the result is used again for the same salt and count', async () => {
  const passwords = new SaltedPasswords('sha256')
  const all = Array.from({ length: 5 }, () => passwords.salted('pencil', salting))
  const other = passwords.salted('pencil', { ...salting, iterations: 4_097 })
  await turns()
  expect(begun).toHaveLength(1)
  begun[0]?.end()
  expect(new Set(await Promise.all(all)).size).toBe(1)
  await until(() => begun.length === 2, 'the next one')
  begun[1]?.end()
  expect(await other).not.toEqual(await all[0])
  expect(begun.map(({ iterations }) => iterations)).toEqual([4_096, 4_097])
})

it.each([
  ['another password', 'pen', salting],
  ['another salt', 'pencil', { ...salting, salt: 'c2FsdHk=' }],
  ['another count', 'pencil', { ...salting, iterations: 8_192 }],
])('for %s it is made anew', async (_, password, otherSalting) => {
  const passwords = new SaltedPasswords('sha512')
  for (const [one, how] of [
    ['pencil', salting],
    [password, otherSalting],
  ] as const) {
    const made = begun.length
    const salted = passwords.salted(one, how)
    await until(() => begun.length > made, 'it is made')
    begun.at(-1)?.end()
    await salted
  }
  expect(begun).toHaveLength(2)
})

it('what a connection that has ended waited for is not made, and holds up no other', async () => {
  const passwords = new SaltedPasswords('sha256')
  const gone = new AbortController()
  const first = passwords.salted('a', salting)
  const second = passwords.salted('b', salting, gone.signal)
  const third = passwords.salted('c', salting)
  await until(() => begun.length === 1, 'the first')
  gone.abort(new Error('closed'))
  begun[0]?.end()
  await first
  await expect(second).rejects.toThrow('closed')
  await until(() => begun.length === 2, 'the third')
  begun[1]?.end()
  await third
  expect(begun.map(({ password }) => password)).toEqual(['a', 'c'])
})

it('the password and what is made of it are shown to nobody', async () => {
  const passwords = new SaltedPasswords('sha256')
  const salted = passwords.salted('S3CRET', salting)
  await until(() => begun.length === 1, 'it is made')
  begun[0]?.end(Buffer.from('SALTED'))
  await salted
  const shown = `${inspect(passwords, { showHidden: true, depth: 9, customInspect: false })}${JSON.stringify(passwords)}`
  expect(shown).not.toMatch(/S3CRET|SALTED|53 41 4c 54/)
})

it('all connections of a producer share the line', async () => {
  const mechanism = scramMechanism('sha256', new Secret({ username: 'alice', password: 'pencil' }))
  const steps: Promise<unknown>[] = []
  const address = { host: 'kafka-1', port: 9092 }
  for (let i = 0; i < 8; i++) {
    const exchange: SaslExchange = await mechanism.begin(address)
    const first = String(await exchange.next(undefined))
    steps.push(
      Promise.resolve(exchange.next(Buffer.from(`${first.slice('n,,n=alice,'.length)}xyz,s=c2FsdA==,i=65536`))),
    )
  }
  await turns()
  expect(begun).toHaveLength(1)
  begun[0]?.end()
  await Promise.all(steps)
  expect(begun).toHaveLength(1)
})

it('connections that are refused at once each try a name or password in its other form', async () => {
  const mechanism = scramMechanism('sha256', new Secret({ username: 'alice', password: 'pass ²' }))
  const address = { host: 'kafka-1', port: 9092 }
  const one = await mechanism.begin(address)
  const other = await mechanism.begin(address)
  expect([one.tryOtherwise?.(), other.tryOtherwise?.()]).toEqual([true, true])
  const plain = scramMechanism('sha256', new Secret({ username: 'alice', password: 'pass' }))
  expect((await plain.begin(address)).tryOtherwise?.()).toBe(false)
})
