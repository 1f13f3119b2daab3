import { describe, expect, it } from 'vitest'
import { Dice } from '../simulation/dice.js'
import { drawRoles, type Role } from './roles.js'

const TOPICS = { steady: ['a', 'b'], fleeting: 'c', ledger: 'd' }
const roles = (release: string, seed = 1): Role[] => drawRoles(new Dice(seed), release, 1, TOPICS, 600)
const all = <K extends keyof Role>(release: string, field: K): Set<Role[K]> =>
  new Set(roles(release).map((role) => role[field]))

describe('the producers of a round', () => {
  it('are sync, async and transactional, with acks 1 and -1, with sequences and without, with every codec, on every Node', () => {
    expect(all('4.4.0', 'manner')).toEqual(new Set(['sync', 'async', 'transactional']))
    expect(all('4.4.0', 'acks')).toEqual(new Set([1, -1]))
    expect(all('4.4.0', 'idempotent')).toEqual(new Set([true, false]))
    expect(all('4.4.0', 'codec')).toEqual(new Set(['none', 'gzip', 'snappy', 'lz4', 'zstd']))
    expect(all('4.4.0', 'node')).toEqual(new Set(['22', '24', '26']))
  })

  it('have neither sequences nor transactions before Kafka 0.11, and no zstd before 2.1', () => {
    expect(all('0.8.2.2', 'manner')).toEqual(new Set(['sync', 'async']))
    expect(all('0.8.2.2', 'idempotent')).toEqual(new Set([false]))
    expect(all('0.8.2.2', 'codec')).toEqual(new Set(['none', 'gzip', 'snappy', 'lz4']))
  })

  it('are the same for the same seed, and others for others', () => {
    expect(roles('3.9.2', 5)).toEqual(roles('3.9.2', 5))
    expect(roles('3.9.2', 5)).not.toEqual(roles('3.9.2', 6))
  })
})
