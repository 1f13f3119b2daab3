import { expect, it } from 'vitest'
import { KnownCluster } from '../../../../src/network/session/known-cluster.js'

it('a cluster may be another from when a connection has ended', () => {
  const cluster = new KnownCluster()
  expect(cluster.mayBeAnother).toBe(false)
  cluster.doubt()
  expect(cluster.mayBeAnother).toBe(true)
  // Which may come by a connection that was there before.
  cluster.learn('c', new Map())
  expect(cluster.mayBeAnother).toBe(true)
})

it('an answer about something else adds brokers, and says nothing of the others, nor of which cluster it is', () => {
  const cluster = new KnownCluster()
  const [one, two] = [
    { host: 'kafka-1', port: 9092 },
    { host: 'kafka-2', port: 9092 },
  ]
  cluster.learn('c', new Map([[1, one]]))
  cluster.doubt()
  cluster.forgetBrokers()
  expect(cluster.add(new Map([[2, two]]))).toEqual(
    new Map([
      [1, one],
      [2, two],
    ]),
  )
  expect(cluster.mayBeAnother).toBe(true)
  // Where all are is still to be asked of the bootstrap list.
  expect(cluster.brokers.size).toBe(0)
  cluster.learn('c', new Map([[2, two]]))
  expect(cluster.brokers).toEqual(new Map([[2, two]]))
})
